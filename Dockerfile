# An image whose default command reruns what changed, as an ordinary user, offline once it is built:
#   docker build -t sengu . && docker run --rm sengu
# For NVIDIA GPUs: docker build --build-arg REQUIREMENTS=requirements-gpu.txt -t sengu . && docker run --rm --gpus all sengu
# On your own clone instead of the copy inside: docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/sengu/work" -w /sengu/work sengu dvc repro
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS environment
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git make \
    && rm -rf /var/lib/apt/lists/*
ARG REQUIREMENTS=requirements.txt
ENV REQUIREMENTS=$REQUIREMENTS PIP_NO_CACHE_DIR=1
WORKDIR /sengu
# the environment first: it changes less often than the code
COPY Makefile pyproject.toml requirements*.txt README.md LICENSE ./
COPY src src
COPY crawlers crawlers
RUN make install PYTHON=python3.11

FROM ${BASE}
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git make \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 sengu \
    && mkdir /sengu && chown sengu: /sengu
USER sengu
WORKDIR /sengu
ENV PATH=/sengu/.venv/bin:$PATH DVC_NO_ANALYTICS=1 PYTHONUNBUFFERED=1
COPY --from=environment --chown=sengu /sengu/.venv .venv
# with .git, which DVC needs
COPY --chown=sengu . .
RUN touch .venv/.installed
CMD ["dvc", "repro"]
