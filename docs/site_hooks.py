"""What the site needs beyond Markdown: links to files of the repository.

Pages link to code and to pages outside of `docs`, so that they work where they are. The
site has a page for each of those files; a link to one leads there.
"""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"\]\(\.\./([^)#\s]*)(#[^)\s]*)?\)")
LANGUAGES = {".py": "python", ".toml": "toml", ".csv": "text", ".js": "javascript"}


def on_files(files: Files, config: Any) -> Files:
    """Add a page for each file outside of `docs` that a page links to."""
    pages = [one for one in files.documentation_pages() if one.abs_src_path]
    texts = [Path(one.abs_src_path or "").read_text(encoding="utf-8") for one in pages]
    for target in sorted({match[1] for text in texts for match in LINK.finditer(text)}):
        shown = _shown(target)
        files.append(File.generated(config, _page(target), content=shown))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Lead links out of `docs` to the pages made for them."""
    if page.file.src_uri.startswith("files/"):
        return markdown
    return LINK.sub(lambda match: f"]({_page(match[1])})", markdown)


def _page(target: str) -> str:
    return f"files/{target.rstrip('/').replace('/', '-')}.md"


def _shown(target: str) -> str:
    """Return the page of a file or folder; links of other pages are only named."""
    path = ROOT / target
    if path.is_dir():
        listed = "\n".join(f"- `{one.name}`" for one in sorted(path.iterdir()))
        return f"# {target}\n\n{listed}\n"
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return re.sub(r"!?\[([^\]]*)\]\((?!https?:)[^)]*\)", r"\1", text)
    return f"# {target}\n\n~~~~{LANGUAGES.get(path.suffix, 'text')}\n{text}\n~~~~\n"
