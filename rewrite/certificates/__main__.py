"""Write the list of certificates into the README of the rules."""

from rewrite.certificates.listing import PAGE, updated

if __name__ == "__main__":
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
