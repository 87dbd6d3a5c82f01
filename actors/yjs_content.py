def content(update): return {}
