def content(update):
    return {}
