// What this browser keeps between visits; it may forbid that, be full or hold nonsense.

const beside = new Map(); // what the browser would not take

export function kept(key) {
	if (beside.has(key)) return beside.get(key);
	try {
		return localStorage.getItem(`mooring.${key}`) ?? "";
	} catch {
		return "";
	}
}

/** Keep a text; an empty one is forgotten. True if it outlasts this page. */
export function keep(key, text) {
	beside.delete(key);
	try {
		if (text) localStorage.setItem(`mooring.${key}`, text);
		else localStorage.removeItem(`mooring.${key}`);
		return true;
	} catch {
		beside.set(key, text ? String(text) : "");
		return false;
	}
}

export function keptKeys(beginning) {
	let stored = [];
	try { stored = Object.keys(localStorage); } catch { /* Then there is what this page has. */ }
	const keys = stored.filter((key) => key.startsWith("mooring.")).map((key) => key.slice("mooring.".length));
	return [...new Set([...keys, ...beside.keys()])].filter((key) => key.startsWith(beginning));
}

/** What was kept as JSON; null if it is nonsense. */
export function keptJson(key) {
	try { return JSON.parse(kept(key)); } catch { return null; }
}
