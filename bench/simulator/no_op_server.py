"""The same server stack as the simulator's, doing nothing: what the simulator's speed is measured against.

It reads the request whole and answers one ready-made body with 25 results, so that both answers cost the
client the same.
"""

from __future__ import annotations

import json
import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

RECORD = {
    "Timestamp": 1793491200.0,
    "CustomerAWSAccountId": "111122223333",
    "LicenseArn": "arn:aws:license-manager::294406891311:license:l-9d01d15f86334a8894365cd7350556ff",
    "Dimension": "gpu_hours",
    "QuantityAsDecimal": "17.425",
}
RESULT = {
    "UsageRecord": RECORD,
    "MeteringRecordId": "84a4f48b-0c1c-4c56-9f5e-1d9a5b1f7d11",
    "Status": "Success",
}
ANSWER = json.dumps({"Results": [RESULT] * 25, "UnprocessedRecords": []}).encode()


async def answer(request: Request) -> Response:
    await request.body()
    return Response(ANSWER, media_type="application/x-amz-json-1.1")


app = Starlette(routes=[Route("/", answer, methods=["POST"])])

if __name__ == "__main__":
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_level="warning",
        access_log=False,
        server_header=False,
    )
