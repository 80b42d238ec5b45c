// The two pages that the host makes itself: entering with a token, and what somebody without access sees.

/** SameSite=Strict cookies are not sent along a redirect that began elsewhere, so the page goes on by itself. */
export function enterPage(): string {
  return page("Terrarium", '<meta http-equiv="refresh" content="0;url=./">', "<p>Opening Terrarium ...</p>");
}

export function refusalPage(reason: string): string {
  return page("Terrarium: no access", "", `<h1>No access</h1><p>${escapeHtml(reason)}</p>`);
}

function page(title: string, head: string, body: string): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,"><title>${title}</title>${head}</head><body>${body}</body></html>`;
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
