"""gunicorn's configuration: its records go through our logging, so that no address or path gets into a line."""

from typing import Any

logconfig_dict: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "root": {"level": "INFO", "handlers": []},
    "loggers": {
        "gunicorn.error": {"level": "WARNING", "handlers": [], "propagate": True},
        "gunicorn.access": {"level": "CRITICAL", "handlers": [], "propagate": False},
    },
}

# Nobody talks to it, and its socket would need a folder to write to: a service's image has none.
control_socket_disable = True
