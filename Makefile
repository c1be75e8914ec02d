# make demo       install the core into .venv (no mmcv) and run the main job
# make demo-seg   install everything, mmcv's ops included, and run the segmentation demo
# make test       install everything, mmcv's ops included, and run the whole suite
# All take PYTHON=/path/to/python: see tools/setup_env.py for what happens with it.
PYTHON ?=
DEMO_ARGS ?=
TEST_ARGS ?=

FIND_PYTHON = sh tools/find_python.sh $(PYTHON)
# One thread a process: two threads on tiny tensors fight when the cores are shared.
ONE_THREAD = OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE

.PHONY: demo demo-seg test lint clean

demo:
	@python=$$($(FIND_PYTHON)) && python=$$("$$python" tools/setup_env.py core) && \
	PYTHONPATH=. "$$python" tools/demo.py $(DEMO_ARGS)

demo-seg:
	@python=$$($(FIND_PYTHON)) && python=$$("$$python" tools/setup_env.py full) && \
	PYTHONPATH=. "$$python" tools/demo_seg.py $(DEMO_ARGS)

test:
	@python=$$($(FIND_PYTHON)) && python=$$("$$python" tools/setup_env.py full) && \
	PYTHONPATH=. $(ONE_THREAD) "$$python" -m pytest $(TEST_ARGS)

lint:
	@python=$$($(FIND_PYTHON)) && python=$$("$$python" tools/setup_env.py full) && \
	"$$python" -m ruff check .

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache
