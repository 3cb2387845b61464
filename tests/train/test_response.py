"""Response norm in loops: the same operation as the networks', whatever the layout, compiled or not."""

import copy
import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

from ilsvrc.models import alexnet, build, googlenet
from ilsvrc.train import response

SHAPES = [(3, 10, 4, 3), (1, 6, 1, 1), (5, 2, 3, 3), (40, 96, 13, 13), (2, 192, 56, 56), (0, 6, 3, 3)]


def images(shape: tuple[int, ...], last: bool, dtype: torch.dtype = torch.float32) -> Tensor:
    x = 300 * torch.randn(shape, generator=torch.Generator().manual_seed(0))
    return x.to(dtype, memory_format=torch.channels_last if last else torch.contiguous_format)


def slopes(shape: tuple[int, ...]) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def there_and_back(norm: object, x: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
    x = x.detach().requires_grad_()
    y = norm(x)
    y.backward(g)
    return y.detach(), x.grad


def difference(found: Tensor, wanted: Tensor) -> float:
    """The largest, over the largest of what is wanted."""
    return float((found - wanted).abs().max() / wanted.abs().max()) if wanted.numel() else 0.0


@pytest.mark.parametrize("towers", [1, 2])
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_it_is_the_network_s_own_operation(shape: tuple[int, ...], last: bool, towers: int) -> None:
    x = images(shape, last)
    g = slopes(shape)
    wanted = there_and_back(alexnet.ResponseNorm(2.0, towers), x.double(), g.double())
    found = there_and_back(lambda x: response.normalise(x, 2.0, towers), x, g)
    assert found[0].stride() == x.stride()
    assert max(difference(f, w) for f, w in zip(found, wanted, strict=True)) < 3e-7


def test_half_precision_is_rounded_once_at_the_end() -> None:
    x = images((4, 10, 6, 6), True, torch.bfloat16)
    y, dx = there_and_back(lambda x: response.normalise(x, 1.0, 1), x, torch.ones_like(x))
    assert y.dtype == dx.dtype == torch.bfloat16
    wide = there_and_back(lambda x: response.normalise(x, 1.0, 1), x.float(), torch.ones(x.shape))
    assert torch.equal(y, wide[0].bfloat16())
    assert torch.equal(dx, wide[1].bfloat16())


def test_images_that_lie_in_neither_order_are_no_obstacle() -> None:
    x = images((4, 12, 9, 9), False)[:, 1:11, ::2, 1:]
    g = slopes(x.shape)
    found = there_and_back(lambda x: response.normalise(x, 2.0, 1), x, g.transpose(0, 1).contiguous().transpose(0, 1))
    wanted = there_and_back(alexnet.ResponseNorm(2.0, 1), x.double(), g.double())
    assert max(difference(f, w) for f, w in zip(found, wanted, strict=True)) < 3e-7


@pytest.mark.parametrize("last", [False, True])
def test_a_part_of_a_batch_is_read_where_it_lies_and_nothing_beside_it_is_written(last: bool) -> None:
    whole, g = images((5, 10, 4, 3), last), slopes((5, 10, 4, 3))
    before = whole.clone()
    found = there_and_back(lambda x: response.normalise(x, 2.0, 1), whole[2:4], g[2:4])
    wanted = there_and_back(alexnet.ResponseNorm(2.0, 1), before[2:4].double(), g[2:4].double())
    assert max(difference(f, w) for f, w in zip(found, wanted, strict=True)) < 3e-7
    assert torch.equal(whole, before)
    with torch.inference_mode():
        assert torch.equal(response.normalise(whole[2:4], 2.0, 1), found[0])


@pytest.mark.parametrize("name", ["alexnet", "alexnet_caffe", "zfnet", "googlenet", "vgg11_lrn"])
def test_a_quickened_network_is_the_same_network(name: str) -> None:
    torch.manual_seed(0)
    network = build(name, classes=5, image_size=96, width=0.1).eval()
    quick = copy.deepcopy(network)
    response.quicken(quick, response.PLAIN)
    assert list(quick.state_dict()) == list(network.state_dict())
    x = images((3, 3, 96, 96), True)
    assert difference(quick(x).detach(), network(x).detach()) < 1e-5
    assert torch.equal(copy.deepcopy(quick)(x), quick(x))


def test_a_network_without_response_norm_stays_as_it_is() -> None:
    assert response.response_norms(build("resnet18", classes=5, image_size=64, width=0.1)) == []
    assert len(response.response_norms(build("googlenet", classes=5, image_size=80, width=0.1))) == 2


@pytest.mark.slow
def test_compiled_it_is_the_same_operation_and_the_same_bits_each_time() -> None:
    loops = response.compiled()
    if loops is None:
        pytest.skip("there is no C++ compiler here")
    for shape, last in ((SHAPES[0], False), (SHAPES[3], True), (SHAPES[4], True), (SHAPES[4], False)):
        x, g = images(shape, last), slopes(shape)
        wanted = there_and_back(googlenet.ResponseNorm(), x.double(), g.double())
        found = there_and_back(lambda x: response.normalise(x, 1.0, 1, loops), x, g)
        again = there_and_back(lambda x: response.normalise(x, 1.0, 1, loops), x, g)
        assert max(difference(f, w) for f, w in zip(found, wanted, strict=True)) < 3e-7
        assert all(torch.equal(f, a) for f, a in zip(found, again, strict=True))


@pytest.mark.slow
def test_without_a_compiler_it_says_none_and_warns_of_nothing() -> None:
    program = (
        "import warnings; warnings.simplefilter('error')\n"
        "from ilsvrc.jobs.machine import bench, compiler\nfrom ilsvrc.train import response\n"
        "print(compiler(), bench('cpu').compile, response.compiled())"
    )
    environment = {"PATH": "/nowhere", "CXX": "/nowhere/c++", "PYTHONPATH": ":".join(sys.path), "HOME": "/nowhere"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "None no None", "")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["alexnet", "googlenet"])
def test_an_exported_network_holds_the_formula_alone(name: str) -> None:
    network: nn.Module = build(name, classes=5, image_size=96, width=0.1).eval()
    x = images((1, 3, 96, 96), False)
    exported = torch.export.export(network, (x,))
    operators = {str(node.target) for node in exported.graph.nodes if node.op == "call_function"}
    assert all(operator.startswith("aten.") for operator in operators)
    assert torch.allclose(exported.module()(x), network(x), rtol=1e-4, atol=1e-6)
