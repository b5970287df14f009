"""`python -m homeostat` is `homeostat`."""

from homeostat.cli.main import main

if __name__ == "__main__":
    main()
