"""The tests are tested: each of many known bugs, planted in a copy of the package, is noticed."""

import pytest

import seeded_faults
from seeded_faults import FAULTS, Fault

pytestmark = pytest.mark.slow


def test_without_a_fault_the_same_tests_pass():
    assert not (output := seeded_faults.sound()), output


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.what)
def test_a_planted_bug_is_caught(fault):
    assert seeded_faults.caught(fault), f"{fault.what}: no test of {fault.tests} notices it"


def test_there_are_faults_of_all_kinds():
    assert len(FAULTS) >= 15 and len({fault.what for fault in FAULTS}) == len(FAULTS)
    assert {fault.file.split("/")[1] for fault in FAULTS} == {"in_numpy", "in_torch"}
    assert len({fault.concept for fault in FAULTS}) >= 7


def test_a_change_that_changes_nothing_is_not_caught():
    harmless = Fault("nothing", "neuron/in_numpy", "return (x >= 0)", "return (0 <= x)", "neuron.step-")
    assert seeded_faults.caught(harmless) == ""


def test_a_fault_whose_place_is_gone_says_so():
    gone = Fault("gone", "neuron/in_numpy", "return (x >== 0)", "", "neuron.step-")
    with pytest.raises(
        LookupError, match=r"gone: nnlib/neuron/in_numpy.py no longer holds 'return \(x >== 0\)'"
    ):
        seeded_faults.caught(gone)


def test_tests_that_cannot_run_are_no_catch():
    broken = Fault("broken", "neuron/in_numpy", "return (x >= 0)", "return (", "neuron.step-")
    nothing = Fault("no test", "neuron/in_numpy", "return (x >= 0)", "return (x > 0)", "no_such_test")
    for fault in (broken, nothing):
        with pytest.raises(RuntimeError, match="the tests did not run"):
            seeded_faults.caught(fault)
