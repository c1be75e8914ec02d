import gc

import pytest


@pytest.fixture(autouse=True, scope='session')
def _leave_imported_modules_out_of_garbage_collection():
    # MMEngine collects garbage for every data set that it fills, a third of a second each with
    # torch's modules loaded.
    gc.freeze()
    yield
    gc.unfreeze()
