"""Ask the service in this container how it is: python health.py /livez or /readyz. Exit code 0 means well.

The image has no curl. `http.client` rather than `urllib.request`, which would go through a proxy that the
container's environment names. `PORT_SETTING` is the name of the setting that says on which port it answers.
"""  # noqa: INP001 - a program of the image, in no package

import http.client
import os
import sys

connection = http.client.HTTPConnection("127.0.0.1", int(os.environ[os.environ["PORT_SETTING"]]), timeout=4)
try:
    connection.request("GET", sys.argv[1])
    answer = connection.getresponse()
    print(answer.status, answer.read().decode(errors="replace"))  # noqa: T201 - `docker inspect` shows it
except (OSError, http.client.HTTPException) as error:
    sys.exit(f"{sys.argv[1]} does not answer: {error}")
sys.exit(answer.status != http.HTTPStatus.OK)
