# The page and the notebook, run by an unprivileged user.
#   docker build -t tdp . && docker run -p 7860:7860 tdp                                      the page
#   docker run -p 8888:8888 tdp jupyter lab --ip 0.0.0.0 --no-browser notebooks               the notebook
FROM python:3.11-slim

# PyTorch's index of builds for CPUs, beside the usual one: it spares gigabytes of CUDA. Empty is the usual one alone.
ARG TORCH_INDEX=

# Hugging Face's Spaces run containers as user 1000.
RUN useradd --create-home --uid 1000 tdp
USER 1000
WORKDIR /home/tdp
ENV PATH=/home/tdp/venv/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

COPY --chown=1000 constraints.txt ./
RUN python -m venv venv \
    && pip install --quiet -c constraints.txt ${TORCH_INDEX:+--extra-index-url $TORCH_INDEX} torch

COPY --chown=1000 . project
WORKDIR /home/tdp/project
RUN pip install --quiet -c constraints.txt -e '.[demo,notebook]'

EXPOSE 7860
CMD ["tdp", "demo", "--host", "0.0.0.0", "--port", "7860"]
