# An image whose default command rebuilds everything: docker build -t sengu . && docker run sengu
# For NVIDIA GPUs: docker build --build-arg REQUIREMENTS=requirements-gpu.txt -t sengu . && docker run --gpus all sengu
FROM python:3.11-slim-bookworm
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git make \
    && rm -rf /var/lib/apt/lists/*
ARG REQUIREMENTS=requirements.txt
ENV REQUIREMENTS=$REQUIREMENTS
WORKDIR /sengu
# the environment first: it changes less often than the code
COPY Makefile pyproject.toml requirements*.txt README.md LICENSE ./
COPY src src
COPY crawlers crawlers
RUN make install PYTHON=python3.11
# with .git, which DVC needs
COPY . .
RUN touch .venv/.installed
CMD ["make", "repro"]
