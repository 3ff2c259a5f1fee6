"""`python -m mlforge` is `mlforge`."""

from mlforge.cli.main import main

if __name__ == "__main__":
    main()
