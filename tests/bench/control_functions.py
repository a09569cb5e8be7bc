"""Functions whose control flow depends on their arguments, as people write them.

Each comes with points at which all of its lines run.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

COEFFICIENTS = (0.5, -1.25, 3.0, 0.75, -2.0)
BRACKETS = ((11000.0, 0.0), (17000.0, 0.14), (66000.0, 0.3), (278000.0, 0.42))


def collatz(n):
    count = 0
    while n != 1:
        n = n // 2 if n % 2 == 0 else 3 * n + 1
        count += 1
    return count


def gcd(a, b):
    while b:
        a, b = b, a % b
    return a


def lcm(a, b):
    if a == 0 or b == 0:
        return 0
    return a // gcd(a, b) * b


def power_mod(base, exponent, modulus):
    result = 1
    base %= modulus
    while exponent > 0:
        if exponent % 2 == 1:
            result = result * base % modulus
        exponent //= 2
        base = base * base % modulus
    return result


def is_prime(n):
    if n < 2:
        return False
    d = 2
    while d * d <= n:
        if n % d == 0:
            return False
        d += 1
    return True


def digit_sum(n):
    total = 0
    while n > 0:
        n, digit = divmod(n, 10)
        total += digit
    return total


def integer_root(n):
    low, high = 0, n + 1
    while high - low > 1:
        middle = (low + high) // 2
        if middle * middle <= n:
            low = middle
        else:
            high = middle
    return low


def fibonacci(n):
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a


def leap_year(year):
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def trailing_zeros(n):
    count = 0
    while n != 0 and n % 2 == 0:
        n /= 2
        count += 1
    return count


def newton_root(x):
    if x < 0:
        return math.nan
    guess = x if x > 1 else 1.0
    for _ in range(60):
        better = 0.5 * (guess + x / guess)
        if abs(better - guess) <= 1e-15 * guess:
            return better
        guess = better
    return guess


def cube_root_by_bisection(a):
    low, high = 0.0, a + 1
    while high - low > 1e-9:
        middle = 0.5 * (low + high)
        if middle * middle * middle < a:
            low = middle
        else:
            high = middle
    return low


def mandelbrot(a, b):
    x = y = 0.0
    n = 0
    while x * x + y * y <= 4 and n < 50:
        x, y = x * x - y * y + a, 2 * (x * y) + b
        n += 1
    return n


def mean_by_agm(a, b):
    while abs(a - b) > 1e-14 * a:
        a, b = (a + b) / 2, math.sqrt(a * b)
    return a


def logistic(x, r, n):
    for _ in range(n):
        x = r * x * (1 - x)
        if x < 1e-3:
            break
    else:
        x += 1
    return x


def kepler(anomaly, eccentricity):
    e = anomaly
    for _ in range(50):
        step = (e - eccentricity * math.sin(e) - anomaly) / (1 - eccentricity * math.cos(e))
        e -= step
        if abs(step) < 1e-13:
            break
    return e


def exponential_series(x):
    total = term = 1.0
    n = 0
    while abs(term) > 1e-17 * abs(total):
        n += 1
        term *= x / n
        total += term
    return total


def log_gamma(x):
    shift = 0.0
    while x < 12:
        shift += math.log(x)
        x += 1
    inverse = 1 / (x * x)
    tail = (1 / 12 - inverse * (1 / 360 - inverse * (1 / 1260 - inverse / 1680))) / x
    return (x - 0.5) * math.log(x) - x + 0.5 * math.log(2 * math.pi) + tail - shift


def tangent_fraction(x):
    total = 0.0
    for k in range(19, 0, -2):
        total = x * x / (k - total) if k > 1 else x / (1 - total)
    return total


def fall_time(height, drag):
    v = y = t = 0.0
    while y < height:
        v += 0.01 * (9.81 - drag * v * v)
        y += 0.01 * v
        t += 0.01
        if t > 30:
            return math.inf
    return t


def midpoint_integral(a, b, n):
    width = (b - a) / n
    total = 0.0
    for k in range(n):
        x = a + (k + 0.5) * width
        total += x * x / (1 + x)
    return total * width


def call_price(spot, strike, years):
    if years <= 0:
        return max(spot - strike, 0.0)
    spread = 0.2 * math.sqrt(years)
    d = (math.log(spot / strike) + (0.01 + 0.02) * years) / spread
    up = 0.5 * math.erfc(-d / math.sqrt(2))
    down = 0.5 * math.erfc((spread - d) / math.sqrt(2))
    return spot * up - strike * math.exp(-0.01 * years) * down


def huber(residual, width):
    size = abs(residual)
    if size <= width:
        return 0.5 * residual * residual
    return width * (size - 0.5 * width)


def smooth_step(x):
    if x <= 0:
        return 0.0
    elif x >= 1:
        return 1.0
    return x * x * (3 - 2 * x)


def income_tax(income):
    tax, before = 0.0, 0.0
    for limit, rate in BRACKETS:
        if income <= limit:
            return tax + (income - before) * rate
        tax += (limit - before) * rate
        before = limit
    return tax + (income - before) * 0.45


def median(a, b, c):
    if a > b:
        a, b = b, a
    if c <= a:
        return a
    return c if c < b else b


def sinc(x):
    return math.sin(x) / x if x != 0 else 1.0


def real_roots(a, b, c):
    discriminant = b * b - 4 * a * c
    if discriminant < 0:
        return 0, math.nan, math.nan
    q = -0.5 * (b + math.copysign(math.sqrt(discriminant), b))
    first, second = q / a, c / q
    if first > second:
        first, second = second, first
    return 2, first, second


def polynomial(x):
    total = 0.0
    for c in COEFFICIENTS:
        total = total * x + c
    return total if total > 0 else -total


def nested(x, n):
    total = 0.0
    for i in range(n):
        if i % 3 == 1:
            continue
        j = 0
        while j < i:
            total += x * j
            if total > 100:
                break
            j += 1
        else:
            total -= 1
        if total > 110:
            return total, i
    return total, -1


def _whole(low: int, high: int, *also: float) -> Callable[[Any, int], Any]:
    def draw(rng: Any, n: int) -> Any:
        found = rng.integers(low, high, n)
        found[: len(also)] = also
        return found

    return draw


def _real(low: float, high: float, *also: float) -> Callable[[Any, int], Any]:
    def draw(rng: Any, n: int) -> Any:
        found = rng.uniform(low, high, n)
        found[: len(also)] = also
        return found

    return draw


POINTS: dict[Callable[..., Any], tuple[Callable[[Any, int], Any], ...]] = {
    collatz: (_whole(1, 5000),),
    gcd: (_whole(0, 10**6), _whole(0, 10**6)),
    lcm: (_whole(0, 30), _whole(0, 30)),
    power_mod: (_whole(0, 10**7), _whole(0, 1000), _whole(2, 10**7)),
    is_prime: (_whole(0, 10**4, 0, 1, 2),),
    digit_sum: (_whole(0, 10**9),),
    integer_root: (_whole(0, 10**9),),
    fibonacci: (_whole(0, 70),),
    leap_year: (_whole(1500, 2500),),
    trailing_zeros: (_whole(0, 4096),),
    newton_root: (_real(-1e3, 1e6, 0.0, 0.3),),
    cube_root_by_bisection: (_real(0, 1e3),),
    mandelbrot: (_real(-2, 1), _real(-1.5, 1.5)),
    mean_by_agm: (_real(0.1, 1e3), _real(0.1, 1e3)),
    logistic: (_real(0, 1), _real(0.3, 4), _whole(0, 100)),
    kepler: (_real(0, 6.28), _real(0, 0.9)),
    exponential_series: (_real(-5, 20),),
    log_gamma: (_real(0.1, 40),),
    tangent_fraction: (_real(-1.4, 1.4),),
    fall_time: (_real(0, 400), _real(0, 0.5)),
    midpoint_integral: (_real(0, 1), _real(1, 5), _whole(1, 60)),
    call_price: (_real(50, 150), _real(50, 150), _real(-0.5, 3, 0.0)),
    huber: (_real(-5, 5), _real(0.5, 2)),
    smooth_step: (_real(-0.5, 1.5),),
    income_tax: (_real(0, 5e5),),
    median: (_real(-1, 1), _real(-1, 1), _real(-1, 1)),
    sinc: (_real(-10, 10, 0.0),),
    real_roots: (_real(0.5, 3), _real(-5, 5), _real(-3, 3)),
    polynomial: (_real(-2, 2),),
    nested: (_real(-3, 30), _whole(0, 40)),
}
"""Function -> how its arguments are drawn, as (generator, count) -> array."""


def points(fn: Callable[..., Any], n: int, seed: int = 0) -> list[Any]:
    """Draw n points for a function."""
    rng = np.random.default_rng(seed)
    return [draw(rng, n) for draw in POINTS[fn]]
