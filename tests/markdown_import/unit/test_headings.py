import pytest

from tools.markdown_import.files import first_heading


@pytest.mark.parametrize(
    ("text", "heading"),
    [
        ("# One\n\n# Two\n", "One"),
        ("text\n## *Two* `words` ##  \n", "*Two* `words`"),
        ("   ### Three", "Three"),
        ("\r\n# Windows\r\ntext", "Windows"),
        ("# old mac\rtext", "old mac"),
        ("#hashtag\n#\n# C#\n", "C#"),
        ("#\tTab\n", "Tab"),
        ("Set\n===\n", "Set"),
        ("Two\nlines  \n---\n", "Two lines"),
        ("para\n\n---\n# After a break\n", "After a break"),
        ("- item\n---\n# After a list\n", "After a list"),
        ("> quoted\n===\n\n# Mine\n", "Mine"),
        ("- item\n  # in the item\n# Mine\n", "Mine"),
        ("```sh\n# comment\n```\n# Mine\n", "Mine"),
        ("~~~~\n# comment\n~~~\n# comment\n~~~~~\n# Mine\n", "Mine"),
        ("``` a`b\n# Mine\n", "Mine"),
        ("    # indented code\n\n# Mine\n", "Mine"),
        ("<!-- # no -->\n<!--\n# no\n-->\n# Mine\n", "Mine"),
        ("<div>\n# no\n</div>\n\n# Mine\n", "Mine"),
        ("<pre>\n\n# no\n</pre>\n# Mine\n", "Mine"),
        ("text <b>\n# Mine\n", "Mine"),
        ("```\n# never closed\n", None),
        ("####### seven\n", None),
        ("no heading", None),
        ("", None),
    ],
)
def test_the_first_heading_is_found_where_commonmark_sees_one(text: str, heading: str | None) -> None:
    assert first_heading(text) == heading
