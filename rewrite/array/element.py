"""`Element`: what stands for any one element of an array, where only that is looked at."""

from typing import Any

from rewrite.array.core import TermArray

__all__ = ["Element"]


class Element(TermArray):
    """What a traced function sees of an array argument: any one element of it.

    Elementwise operations are recorded; whatever looks at the whole array is refused, since the
    kernel sees one element at a time.
    """

    single = True
    shape = property(TermArray.refuse)
    ndim = property(TermArray.refuse)
    size = property(TermArray.refuse)
    T = mT = property(TermArray.refuse)
    flat = property(TermArray.refuse)
    reshape = flatten = ravel = squeeze = transpose = swapaxes = diagonal = repeat = (
        TermArray.refuse
    )
    sum = prod = mean = var = std = min = max = any = all = TermArray.refuse
    cumsum = cumprod = dot = trace = take = put = compress = TermArray.refuse
    sort = argsort = argmin = argmax = searchsorted = nonzero = TermArray.refuse
    __len__ = __iter__ = __getitem__ = __matmul__ = __rmatmul__ = TermArray.refuse

    def __setitem__(self, key: Any, value: Any) -> None:
        """Assign where a condition holds, or everywhere."""
        whole = key is Ellipsis or (isinstance(key, slice) and key == slice(None))
        if not whole and not isinstance(key, Element):
            self.refuse()
        super().__setitem__(Ellipsis if whole else key, value)

    def __bool__(self) -> bool:
        """Refuse: no truth value until evaluated."""
        return bool(self.item())

    def __repr__(self) -> str:
        """Show the term of the element."""
        return f"Element({self.item()!r})"
