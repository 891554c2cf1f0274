from worker.app import _FIRST_RETRY_S, _LONGEST_RETRY_S, _pause_s


def test_pauses_grow_spread_and_end_however_often_a_task_comes_back():
    for retries in range(4):
        pauses = {_pause_s(retries, 1000.0) for _ in range(50)}
        assert len(pauses) > 40
        assert all(_FIRST_RETRY_S * 2**retries / 2 <= pause <= _FIRST_RETRY_S * 2**retries for pause in pauses)
    for retries in (20, 5000, 10**6):
        assert _LONGEST_RETRY_S / 2 <= _pause_s(retries, 1000.0) <= _LONGEST_RETRY_S
    assert 2 <= _pause_s(20, 4.0) <= 4
