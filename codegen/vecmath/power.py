"""pow by a logarithm in double-double, cbrt by one Newton step from a polynomial, and hypot."""

from llvmlite import ir

from codegen.vecmath import exponential, tables
from codegen.vecmath.lanes import Lanes, Sum
from codegen.vecmath.logarithm import flagged, split
from codegen.vecmath.rare import before_libm, through_libm


def log_sum(v: Lanes, x: ir.Value, *, exactly: bool = True, less: ir.Value | None = None) -> Sum:
    """Return log(x) of a positive normal x as a sum of two, 12 bits beyond the format or 10.

    log(1 + f) = 2 s (1 + z (1/3 + z Q(z))), s = f / (2 + f), z = s**2. With `less` it is that of
    x / 2**less.
    """
    name = v.format.name
    parts = split(v, x)
    k = parts.k if less is None else v.sub(parts.k, less)
    s, s_low = v.quotient((parts.f, v.real(0.0)), v.fast_two_sum(2.0, parts.f))
    z, z_low = v.two_product(s, s)
    z_low = v.fma(v.add(s, s), s_low, z_low)
    fifth, *others = tables.ATANH[name]
    others_sum = v.polynomial(z, others, v.mul(z, z))
    q = v.fma(z, others_sum, fifth)
    third, third_low = tables.THIRD[name]
    inner = v.fma(z, q, third)
    inner_low = v.add(v.fma(z, q, v.sub(third, inner)), third_low)
    if exactly:
        q_low = v.fma(z, others_sum, v.sub(fifth, q))
        inner_low = v.fma(z, q_low, v.fma(z_low, q, inner_low))
    w, w_low = v.two_product(z, inner)
    w_low = v.add(w_low, v.fma(z_low, inner, v.mul(z, inner_low)))
    product, low = v.two_product(s, w)
    low = v.add(low, v.fma(s, w_low, v.fma(s_low, w, s_low)))
    half, half_low = v.fast_two_sum(s, product)
    half_low = v.add(half_low, low)
    ln2_high, ln2_low = tables.LN2_SHORT[name]
    high, rest = v.fast_two_sum(v.mul(k, ln2_high), v.add(half, half))
    return high, v.add(rest, v.fma(k, ln2_low, v.add(half_low, half_low)))


def pow_(v: Lanes, x: ir.Value, y: ir.Value) -> ir.Value:
    """x**y = exp(y log(x)); x <= 0 and results out of the normal range are rare: see there."""
    usual, far = positive_power(v, x, y)
    return through_libm(v, "pow", [x, y], v.ior(far, flagged(v, x)), usual)


@before_libm("pow")
def signed_power(v: Lanes, x: ir.Value, y: ir.Value) -> Sum:
    """Return |x|**y with the sign of an odd y where x < 0, and the mask of lanes left to libm."""
    size = v.abs(x)
    made, far = positive_power(v, size, y)
    negative = v.compare("<", x, 0.0)
    made = v.select(negative, _signed(v, made, v.abs(y)), made)
    return made, v.marked(v.ior(far, flagged(v, size)))


def _signed(v: Lanes, size: ir.Value, y: ir.Value) -> ir.Value:
    """Return (-a)**y, given that of a: of the other sign for odd y >= 0, NaN between integers."""

    def is_whole(a: ir.Value) -> ir.Value:
        least = 2.0**v.format.fraction  # from here on all numbers are
        near = v.sub(v.add(a, least), least)
        return v.builder.or_(v.compare("==", near, a), v.compare(">=", a, least))

    turned = v.select(is_whole(v.mul(y, 0.5)), size, v.neg(size))
    nan = v.from_bits(v.word(v.format.exponent_mask | 1 << (v.format.fraction - 1)))
    return v.select(is_whole(y), turned, nan)


def positive_power(v: Lanes, x: ir.Value, y: ir.Value) -> Sum:
    """Return x**y of a positive normal x, and the mask of lanes that leave the normal range."""
    name = v.format.name
    log, log_low = log_sum(v, x)
    high, low = v.two_product(y, log)
    low = v.fma(y, log_low, low)
    parts = exponential.reduce(v, high, low)
    usual = v.times_power(
        v.add(v.add(parts.high, exponential.fine_tail(v, parts)), 1.0), parts.shift
    )
    return usual, v.beyond(v.abs(high), exponential.LARGEST[name])


def _reciprocal_cube_root(v: Lanes, m: ir.Value) -> ir.Value:
    """m**(-1/3) of 1 <= m < 8 to half the format's bits and more.

    A guess g from a polynomial, then g (1 + e/3 + 2 e**2 / 9) with e = 1 - m g**3.
    """
    third = tables.THIRD[v.format.name][0]
    guess = v.polynomial(m, tables.RCBRT[v.format.name], v.mul(m, m))
    for _ in range(2 if v.format.bits == 64 else 1):
        cube = v.mul(v.mul(guess, guess), guess)
        error = v.fma(v.neg(m), cube, 1.0)
        step = v.mul(error, v.fma(error, v.rounded(2 / 9), third))
        guess = v.fma(guess, step, guess)
    return guess


def thirds(v: Lanes, a: ir.Value) -> tuple[ir.Value, ir.Value]:
    """Return m and q, moved up to an exponent's bits, of a normal a = 2**(3 q) m, 1 <= m < 8."""
    form = v.format
    unit = form.encode(2.0**form.fraction)
    biased = v.ior(v.lshr(v.bits(a), form.fraction), unit)
    k = v.sub(v.from_bits(biased), 2.0**form.fraction + form.bias)
    # k / 3 - 1/3 + 1/100 rounds to the floor of k / 3.
    shifted = v.add(v.fma(k, tables.THIRD[form.name][0], -0.328125), form.magic)
    q = v.shl(v.bits(shifted), form.fraction)
    return v.from_bits(v.isub(v.bits(a), v.iadd(v.iadd(q, q), q))), q


def cbrt(v: Lanes, x: ir.Value) -> ir.Value:
    """cbrt(2**(3 q) m) = 2**q m a**2 for a near m**(-1/3), 1 <= m < 8, and one Newton step."""
    form = v.format
    least = 2.0 ** (1 - form.bias)
    lift = 3 * ((form.fraction + 3) // 3)
    a = v.abs(x)
    tiny = v.compare("<", a, least)
    a = v.select(tiny, v.mul(a, 2.0**lift), a)
    third = tables.THIRD[form.name][0]
    m, q = thirds(v, a)
    guess = _reciprocal_cube_root(v, m)
    square = v.mul(guess, guess)
    c = v.mul(m, square)
    c2, c2_low = v.two_product(c, c)
    error = v.sub(v.fma(v.neg(c2), c, m), v.mul(c2_low, c))
    c = v.fma(v.mul(error, third), square, c)
    y = v.from_bits(v.iadd(v.bits(c), q))
    y = v.flip(v.select(tiny, v.mul(y, 2.0 ** -(lift // 3)), y), v.sign(x))
    plain = v.builder.and_(v.compare(">", a, 0.0), v.compare("<", a, float("inf")))
    return v.select(plain, y, x)


def hypot(v: Lanes, x: ir.Value, y: ir.Value) -> ir.Value:
    """sqrt(x**2 + y**2) of arguments scaled by the larger one's binade, the sum in two parts."""
    form = v.format
    ax, ay = v.abs(x), v.abs(y)
    larger = v.compare(">", ax, ay)
    high, low = v.select(larger, ax, ay), v.select(larger, ay, ax)
    least = 2.0 ** (1 - form.bias)
    binade = v.select(v.compare("<", high, least), least, high)
    exponent = v.iand(v.bits(binade), form.exponent_mask)
    scale = v.from_bits(v.isub(form.exponent_mask, exponent))
    high, low = v.mul(high, scale), v.mul(low, scale)
    square, square_low = v.two_product(high, high)
    other, other_low = v.two_product(low, low)
    total, rest = v.fast_two_sum(square, other)
    s, s_low = v.root(total, v.add(rest, v.add(square_low, other_low)))
    root = v.mul(v.mul(v.add(s, s_low), 0.5), v.from_bits(exponent))
    infinity = float("inf")
    infinite = v.builder.or_(v.compare("==", ax, infinity), v.compare("==", ay, infinity))
    return v.select(infinite, infinity, root)
