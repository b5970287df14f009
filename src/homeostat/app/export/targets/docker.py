"""An image: built in two stages, run by a user without rights, with nothing in it but the environment and the project."""

from homeostat.app.export.configuration import in_a_container
from homeostat.app.export.pins import requirements
from homeostat.app.export.target import CONFIGURATION, HOME, STATE, USER_ID, Asked, Target
from homeostat.app.project import FILE

_DOCKERFILE = """\
# syntax=docker/dockerfile:1
# Build it from the project's folder: docker build -f {folder}/Dockerfile -t {image} .
# For a build that can be repeated to the byte, pin the base by digest: --build-arg BASE=python:{python}-slim-bookworm@sha256:...
ARG BASE=python:{python}-slim-bookworm

FROM ${{BASE}} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/homeostat
# its own layer: rebuilt only when the requirements change
COPY {folder}/requirements.txt /tmp/requirements.txt
RUN /opt/homeostat/bin/pip install -r /tmp/requirements.txt

FROM ${{BASE}}
RUN groupadd --gid {user} homeostat && useradd --uid {user} --gid {user} --no-create-home --home-dir {home} homeostat \\
    && install -d -o {user} -g {user} {home} {state} /records
COPY --from=build /opt/homeostat /opt/homeostat
COPY --chown=root:root . {home}
COPY --chown=root:root {folder}/{configuration} {home}/{configuration}
ENV PATH=/opt/homeostat/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOMEOSTAT_PROJECT={home}/{configuration} HOMEOSTAT_ACTOR=container
WORKDIR {home}
USER {user}:{user}
# what was recorded, learned and decided: outlives the container only on a volume
VOLUME {state}
EXPOSE {port} {control_port}
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:{port}/health/live', timeout=2)"]
ENTRYPOINT ["homeostat"]
CMD ["up"]
"""

_IGNORED = """\
# state, environments and secrets stay out of the image
.homeostat
.git
.venv
**/__pycache__
**/.env
**/*.pem
**/*.key
"""


def files(asked: Asked) -> dict[str, str]:
    serve = asked.place.project.serve
    dockerfile = _DOCKERFILE.format(
        folder=asked.folder,
        image=asked.image,
        python=asked.python,
        user=USER_ID,
        home=HOME,
        state=STATE,
        configuration=CONFIGURATION,
        port=serve.port,
        control_port=serve.control_port,
    )
    return {
        "Dockerfile": dockerfile,
        "Dockerfile.dockerignore": _IGNORED,
        "requirements.txt": requirements(asked.place.root, version=asked.version),
        CONFIGURATION: in_a_container(asked.place.root / FILE),
    }


TARGET = Target(
    name="docker",
    summary="a Dockerfile: two stages, pinned, no root",
    files=files,
    next_step=lambda asked: f"docker build -f {asked.folder}/Dockerfile -t {asked.image} .",
)
