"""The field's usual code for everything that is measured, written from the papers' equations.

Nothing here is for use: it is what the library is held against. Each piece does the work in the
form in which published repositories do it (the whole distance matrix and ``topk``, a tensor of all
edges, a loop of whole-cloud distances, attention by softmax), and shares no code with the library.
"""
