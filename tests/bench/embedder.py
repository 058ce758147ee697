"""An OpenAI-compatible `/v1/embeddings` that costs next to nothing: its vectors were made and written out before."""

import argparse
import json
import random
import zlib
from collections.abc import Callable, Mapping

from deploy.model.http import JsonHandler, JsonServer

MODEL = "bench-embedding"
DIMENSIONS = 384
CHANCE = random.Random(384)
VECTORS = [json.dumps([round(CHANCE.uniform(-1, 1), 8) for _ in range(DIMENSIONS)]) for _ in range(64)]


class Embedder(JsonHandler):
    """Answers each text with one of the vectors, chosen by its bytes."""

    def routes(self) -> Mapping[str, Callable[[], None]]:
        """Return OpenAI's routes."""
        return {"GET /v1/models": self.get_models, "POST /v1/embeddings": self.post_embeddings}

    def get_models(self) -> None:
        """List the model."""
        self.send_json(200, {"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": "bench"}]})

    def post_embeddings(self) -> None:
        """Put the answer together out of texts."""
        texts: list[str] = self.read_json()["input"]
        vectors = (VECTORS[zlib.crc32(text.encode()) % len(VECTORS)] for text in texts)
        items = (f'{{"object": "embedding", "index": {i}, "embedding": {v}}}' for i, v in enumerate(vectors))
        payload = f'{{"object": "list", "model": "{MODEL}", "data": [{", ".join(items)}]}}'.encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    JsonServer(("127.0.0.1", parser.parse_args().port), Embedder).serve_forever()


if __name__ == "__main__":
    main()
