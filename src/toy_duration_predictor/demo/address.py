"""The address that the page listens on. Nothing is loaded here, so that one that is not free is refused at once."""

import socket

from toy_duration_predictor.errors import InputError


def check_address(host: str, port: int | None) -> None:
    """Refuses an address that the page cannot listen on; Gradio would try a hundred ports of a host that is none.

    Args:
        host: The address to listen on.
        port: The port, or None for any.

    Raises:
        InputError: The address cannot be listened on.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port or 0, type=socket.SOCK_STREAM)[0]
        socket.create_server(address, family=family).close()
    except (OSError, UnicodeError) as error:
        raise cannot_listen(host, port) from error


def cannot_listen(host: str, port: int | None) -> InputError:
    """Returns what is said of an address that the page cannot listen on."""
    place = f"{host}:{port}" if port else host
    return InputError(f"The page cannot listen on {place}; choose another --host or --port.")
