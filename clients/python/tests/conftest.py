from collections.abc import Iterator

import pytest
import stage


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[stage.Demo]:
    with stage.demo(tmp_path_factory.mktemp("demo")) as running:
        yield running
