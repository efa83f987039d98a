# The simulated AWS Marketplace, for docker compose only; never deployed. Built from the repository's root.
FROM python:3.11-slim AS build
WORKDIR /build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY tools/build-requirements.txt simulator/requirements.txt ./
RUN python -m venv /venv \
    && /venv/bin/pip install --require-hashes -r requirements.txt \
    && pip install --require-hashes -r build-requirements.txt
COPY simulator simulator
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheels ./simulator \
    && /venv/bin/pip install --no-deps --no-index /wheels/*.whl

FROM python:3.11-slim
RUN useradd --system --uid 10001 --no-create-home marketplane \
    && mkdir /state && chown 10001 /state
COPY --from=build /venv /venv
WORKDIR /app
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    HOST=0.0.0.0 PORT=8000 SIMULATOR_DATABASE=/state/simulator.sqlite
USER 10001
VOLUME /state
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=5s --start-period=20s --retries=6 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["marketplace-simulator"]
