"""`make bench`: every measurement, as one table."""

import sys

from benchmarks import relay, therapists
from shared.logs import configure_logging
from shared.settings import LogSettings


def main() -> None:
    configure_logging(LogSettings.model_validate({"LOG_LEVEL": "ERROR"}), stream=sys.stderr)
    for measurement in (therapists, relay):
        for name, value, unit in measurement.run():
            print(f"{name:<44} {value:>12,.2f} {unit}")


if __name__ == "__main__":
    main()
