# One image for the API, the workers and the migrations. Runs as a user without rights, on a read-only root:
# it writes to /data (a volume) and /tmp alone. How to choose a torch build: docs/operations.md.
FROM python:3.11-slim-trixie AS builder

# Options for pip, for example an index with CPU-only torch wheels.
ARG PIP_EXTRA=""
# The optional dependencies; also "box2d" and "mujoco": environments of Gymnasium that need those packages.
ARG EXTRAS="server,worker,postgres,s3,onnx"
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
RUN python -m venv /opt/graftwerk
# Dependencies first: a change of the code does not install torch again.
COPY pyproject.toml constraints.txt README.md LICENSE ./
RUN mkdir app graftwerk workers migrations \
 && /opt/graftwerk/bin/pip install ${PIP_EXTRA} -c constraints.txt ".[${EXTRAS}]"
COPY app app
COPY graftwerk graftwerk
COPY migrations migrations
COPY workers workers
# The documentation that is served at /docs.
COPY docs docs
COPY examples examples
COPY benchmarks benchmarks
COPY web web
COPY CHANGELOG.md CONTRIBUTING.md SECURITY.md ./
RUN /opt/graftwerk/bin/python -m docs.website
RUN rm -rf build \
 && /opt/graftwerk/bin/pip install ${PIP_EXTRA} --no-deps --force-reinstall .


FROM python:3.11-slim-trixie

# pg_dump and pg_restore are for backups; this Debian has those of Compose's PostgreSQL.
# More Debian packages, for example "g++": `mode: compiled` needs a C++ compiler.
ARG APT_EXTRA=""
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends postgresql-client ${APT_EXTRA} \
 && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin graftwerk \
 && install -d -m 700 -o graftwerk -g graftwerk /data
COPY --from=builder /opt/graftwerk /opt/graftwerk
ENV PATH=/opt/graftwerk/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PYTHONSAFEPATH=1 \
    HOME=/tmp TORCHINDUCTOR_CACHE_DIR=/data/compiled TRITON_CACHE_DIR=/data/compiled \
    GRAFTWERK_HOME=/data GRAFTWERK_HOST=0.0.0.0 GRAFTWERK_LOG_JSON=true
USER graftwerk
WORKDIR /data
VOLUME /data
EXPOSE 8741
CMD ["python", "-m", "app.api"]
