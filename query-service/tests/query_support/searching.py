"""Searches over HTTP; sentences in several languages, and what is found in which."""

from typing import Any

import httpx

from notes_query.reads.search_notes import SearchPage

SENTENCES = {
    "japanese": "私は東京都に住んでいます。猫が好きです。",
    "kyoto": "京都の寺",
    "chinese": "我爱自然语言处理",
    "korean": "서울에서 한국어를 배웁니다",
    "thai": "ผมเรียนภาษาไทยที่กรุงเทพ",
    "thai too": "อาหารไทยอร่อยมาก",
    "vietnamese": "Phở ở đường Nguyễn Huệ",
    "french": "un résumé de l'été",
}
FOUND = {
    "東京": ["japanese"],
    "東京都": ["japanese"],
    "東京都に住": ["japanese"],
    "京都": ["japanese", "kyoto"],
    "京都の": ["kyoto"],
    "都東": [],
    "京東都": [],
    "猫": ["japanese"],
    "语言": ["chinese"],
    "自然语言": ["chinese"],
    "自然处理": [],
    "한국어": ["korean"],
    "서울": ["korean"],
    "ภาษา": ["thai"],
    "ภาษาไทย": ["thai"],
    "ไทย": ["thai", "thai too"],
    "ภาษาอร่อย": [],
    "phở": ["vietnamese"],
    "ĐƯỜNG": ["vietnamese"],
    "NGUYEN": ["vietnamese"],
    "résumé": ["french"],
    "東京都 resume": ["french", "japanese"],
}


async def search(client: httpx.AsyncClient, q: str, **parameters: Any) -> Any:
    """Return the answer of a search."""
    answer = await client.get("/notes/search", params={"q": q, **parameters})
    assert answer.status_code == 200, answer.text
    SearchPage.model_validate_json(answer.content)
    return answer.json()


async def titles(client: httpx.AsyncClient, q: str, **parameters: Any) -> list[str]:
    """Return the titles of what is found."""
    return [item["title"] for item in (await search(client, q, **parameters))["items"]]
