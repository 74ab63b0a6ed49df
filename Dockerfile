# docker build -t pg2_jax .
# docker build -t pg2_jax --build-arg ACCELERATOR=cuda13 .   # or tpu
# docker run --rm -v "$PWD/quickstart:/pg2_jax/quickstart" pg2_jax   # NVIDIA: --gpus all
ARG PYTHON=3.12
FROM python:${PYTHON}-slim-bookworm
ARG ACCELERATOR=cpu

RUN apt-get update && apt-get install -y --no-install-recommends make git \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /pg2_jax
# What is installed changes less often than the code, so it is a layer of its own.
COPY requirements.txt .
RUN python -m venv .venv && .venv/bin/pip install --no-cache-dir -r requirements.txt
# The tested jax, with its libraries for GPUs or TPUs: the name of an extra of jax.
RUN test "$ACCELERATOR" = cpu || .venv/bin/pip install --no-cache-dir \
    --constraint requirements.txt "jax[${ACCELERATOR}]"
COPY . .
RUN make .venv/.installed
ENV PATH=/pg2_jax/.venv/bin:$PATH
# Large pages of memory (docs/speed.md).
ENV GLIBC_TUNABLES=glibc.malloc.hugetlb=1

CMD ["make", "quickstart"]
