"""python -m tools.issuer serve --port N, and token --scope "notes.read notes.write"."""

import argparse
import os
import sys

import httpx
import uvicorn

from tools.issuer.app import SECRET, create_issuer
from tools.issuer.issuer import LASTS_S, SCOPES


def main() -> int:
    """Serve on this machine alone, or print a token and nothing else."""
    parser = argparse.ArgumentParser(prog="python -m tools.issuer", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="issue tokens to whoever asks, on 127.0.0.1")
    serve.add_argument("--port", type=int, required=True)
    serve.add_argument("--lasts", type=int, default=LASTS_S, help=f"seconds of a token ({LASTS_S})")
    serve.add_argument(
        "--client",
        action="append",
        default=[],
        metavar="ID=URI",
        help="a client that may be sent back to its URIs alone",
    )
    token = commands.add_parser("token", help="print a token")
    token.add_argument("--scope", default=" ".join(SCOPES))
    token.add_argument("--subject", default="", help="whose token it is; make-token if nobody's")
    arguments = parser.parse_args()
    if arguments.command == "serve":
        url = f"http://127.0.0.1:{arguments.port}"
        clients = [client.partition("=")[::2] for client in arguments.client]
        uvicorn.run(
            create_issuer(url, arguments.lasts, clients), host="127.0.0.1", port=arguments.port, log_level="warning"
        )
        return 0
    if not (issuer := os.environ.get("NOTES_OIDC_ISSUER")):
        print("No issuer is up. `make up AUTH=oidc` starts one.", file=sys.stderr)
        return 2
    form = {"grant_type": "client_credentials", "lasts": "3600", "scope": arguments.scope, "subject": arguments.subject}
    try:
        answer = httpx.post(f"{issuer}/token", data=form, auth=("make-token", SECRET), trust_env=False)
    except httpx.TransportError as error:
        print(f"{issuer} does not answer: {error}", file=sys.stderr)
        return 1
    if answer.status_code != httpx.codes.OK:
        print(f"{issuer} gave no token: {answer.text}", file=sys.stderr)
        return 1
    print(answer.json()["access_token"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
