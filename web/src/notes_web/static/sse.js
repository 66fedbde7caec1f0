// Server-sent events out of the chunks of a streaming answer, as the HTML standard parses them. No I/O.

/** Return `push(text) → [{event, data, id}]`, which keeps what is not complete. Comments come as `{comment: true}`. */
export function sseParser() {
  let rest = "";
  let id = "";
  let event = "";
  let data = [];
  let skipLineFeed = false;

  function line(text, found) {
    if (text === "") {
      if (data.length) found.push({ event: event || "message", data: data.join("\n"), id });
      else if (id) found.push({ comment: true, id });
      event = "";
      data = [];
      return;
    }
    if (text.startsWith(":")) {
      found.push({ comment: true, id });
      return;
    }
    const colon = text.indexOf(":");
    const name = colon < 0 ? text : text.slice(0, colon);
    const value = colon < 0 ? "" : text.slice(colon + 1).replace(/^ /, "");
    if (name === "data") data.push(value);
    else if (name === "event") event = value;
    else if (name === "id" && !value.includes("\0")) id = value;
  }

  return function push(text) {
    const found = [];
    if (skipLineFeed && text.startsWith("\n")) text = text.slice(1);
    skipLineFeed = text.endsWith("\r");
    const lines = (rest + text).split(/\r\n|\r|\n/);
    rest = lines.pop();
    for (const one of lines) line(one, found);
    return found;
  };
}
