"""State dicts of torch, read without torch and without running what they hold."""

import base64
import io
import json
import pickle
import struct
import zipfile
import zlib

import numpy as np
import pytest

from pg2_jax.metrics import state_dict

# torch.save of torch 2.13 in both of its forms, compressed here. With base =
# torch.arange(6.).reshape(2, 3): weight = base.t(), tail = base[1, 1:], half =
# torch.tensor([0.5, -2], dtype=torch.bfloat16), steps = torch.tensor(7); as an
# OrderedDict with _metadata.
ZIPPED = (
    b"c-p0v%Wl&^6ow~G;v@!o<C3;OxkHLd>ZEC$QfMm+nT3&P!$np%k(;=&g&XI@lU5*As)Sm>4i;<?Z_#C"
    b"W1y~>!>{tLR7Hn8DW4EsDsu$WxCL`JN|L2>Tb0*VrG=@+ziFULu)PvMkRW}y3;hKuoZ1b5Zi5+M*&{m"
    b"jg)iO=3iVdq_a}QfJt)<oO8CA>y8Z1L3qp-wmNi*s?2BwNFVwtV9v0>U=rKQca4YO9kTEn(lmBl;<(M"
    b"(235QR-<s&x%wu7s0JOT~}ehaAL}2${nJt3=6IZMGpHvlx;yGLoY*vj!<SB1hMNd#zK7V;GK?;e<k#i"
    b"m+;!(4mt!dQ6Y&tnMf~XXKd7tU{L@S%q#_)q~+=8BRGWT{Y+7w5!@A5*?&m(SthUK;<A!EEx>F6oy##"
    b"QOkbU@+^jPWjL?IofT?L8wLWN53EMr^Sj{q<>4ani(t4!{00YIpUW7ol;LW78LlZQGO4nlVU?Z|TzB5"
    b"zQ0NgtW*G*Z-CWdKHaQ@;DMxJEp36?liR46bqr6Tc&_2Cu8l+LoOM~pZ)ml(-Wz$U($!e+7`tNTqDJt"
    b"!|JM|-B+iCN7E2?SK8w*+kOX5f<wGPyZ1qv{^1iu&(g4q+G8%=rubI-A6(PWjx@x#R3YNmm)sZoa2yW"
    b"jh0s<V4CbfAeqRSol!c>4$duItJq`I#bL(pO0TFhz;dZ+^V(B`<pSAsPx2<s>n4U?Q@mA8D+}M*1DCl"
    b"h{77rh>8Zl6dDR+drGwbfyf=FF!0AG`S~3CmQz{yhIib3o*jc$e-TVpX{H111P^;0M7Dlt!0o3c%jnU"
    b"vtraFG5en&e5o*2D3wYDVXQdH7fQm&D9`8eqx3T-2&J6B^M$-nq?F^rpH~^ek#Q&^6xQSPUj|(}$ix2"
    b"wVYUAPNC%V&2JLozgiZWK+#fKR@tf?pIl?~vLhKIseD?Wx7eH9<ubPg4{Am=0YB#L)S3ywwGpx;pwf^"
    b"i4Y9Gf!+I(2+&%e%q_N!03%f9>5Vjv(c$I(6sJ1w*9&{ld!Z+Xg8XuQw3<KOsJxw1~>PHt_S^DNG~nv"
    b"^r&o%;_NCE>d"
)
LEGACY = (
    b"c-n1}%Wl&^6o!3^Lk%tEPPvx515y-nag$Xmgt{4SHJjNW%e9Bt$k;ia<06nEWz!0H1{N%N3|@yvKw`n"
    b"M9jYK@<Qdy%&ivm$b7rP}wUR&Ic7Jca`|)a{J=325(rKK6V)J!HQ6_nYS&${(fyiZ?rJzy*U!|EOMof"
    b"e!(lGW@&^~jEg7|SFJQ;ry67(q;Hg8Z+Mp=%~U>euyFHR9mW^kj_$kH)1nNbwP3<#5m0Er^4mw7015k"
    b"8Frv_NUOpxWG|6(2-Aju5l}vpk5}UV(8UEiV`QMVy2lid1H~chI#!w{6}m>6Gb@1sL@bYd6V!d|d}EX"
    b"z(@48TGqeXE^Hgwnn`z2h7T7Fe%8J`2yj@9#fdkv?EwyD$|d^`Vy6%P9mIgVYS){`f&nl5m6%}TB>?F"
    b"s@2x_n8CC|IK$LKI9n^7Lpblkg-R*%leciOR+@W$Qkj129NWIM0O<6b!LU1U;4%R;0&J9a32>zZT&)4"
    b"u5U#s$qpk;viG-W~5uQ;cj@368)%&Btu;cXM7OAVGew)-=ty=XC!d(~c6;rs+S7?d%UZ5ZP=);3*-sT"
    b"ikpf!buRW1HqqDM@XQtngH-;@_^$zIfD7PMu@s*AR!%-go|Q=NY{=WkP4Y_n||cIcr#qyBy8FVEn@00"
)


def unpacked(fixture):
    return zlib.decompress(base64.b85decode(fixture))


def assert_refused(tmp_path, content, message, name="a.pth"):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        state_dict.read(path)
    assert str(error.value).startswith(str(path))


@pytest.mark.parametrize("fixture", [ZIPPED, LEGACY])
def test_both_forms_of_torch_save(fixture, tmp_path):
    path = tmp_path / "a.pth"
    path.write_bytes(unpacked(fixture))
    found = state_dict.read(path)
    assert list(found) == ["weight", "tail", "half", "steps"]
    assert found["weight"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert found["weight"].dtype == np.float32
    assert found["tail"].tolist() == [4, 5]
    assert found["half"].astype(np.float32).tolist() == [0.5, -2]
    assert (found["steps"].shape, found["steps"].dtype, int(found["steps"])) == (
        (),
        np.int64,
        7,
    )


@pytest.mark.parametrize("fixture", [ZIPPED, LEGACY])
def test_a_file_cut_short_anywhere_is_an_error(fixture, tmp_path):
    content = unpacked(fixture)
    for length in range(0, len(content) - 1, 37):
        assert_refused(tmp_path, content[:length], r"a\.pth(:| is no whole state dict)")


@pytest.mark.parametrize("fixture", [ZIPPED, LEGACY])
def test_damage_never_ends_in_anything_but_a_message(fixture, tmp_path):
    content, rng = unpacked(fixture), np.random.default_rng(0)
    path = tmp_path / "a.pth"
    failures = 0
    for _ in range(300):
        damaged = bytearray(content)
        damaged[rng.integers(len(content))] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            state_dict.read(path)
        except ValueError as error:
            assert str(error).startswith(str(path))
            failures += 1
    assert failures > 30


class Attack:
    def __reduce__(self):
        return eval, ("open('pwned', 'w')",)


def zipped(main, **entries):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", entries.pop("compression", 0)) as archive:
        archive.writestr("a/data.pkl", main)
        for name, content in entries.items():
            archive.writestr(f"a/{name}", content)
    return file.getvalue()


def test_no_program_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for protocol in range(6):
        program = pickle.dumps({"weight": Attack()}, protocol)
        assert_refused(
            tmp_path, zipped(program), "only tensors by name|makes more than"
        )
        assert_refused(tmp_path, program, "only tensors by name|makes more than")
    assert not (tmp_path / "pwned").exists()


def test_what_is_no_state_dict(tmp_path):
    for value, message in [
        ([1, 2], "it holds no state dict"),
        ({"epoch": 3}, "'epoch' is no tensor; give a plain state dict"),
        ({(1,): 3}, "keys other than names"),
    ]:
        assert_refused(tmp_path, zipped(pickle.dumps(value)), message)
    empty = pickle.dumps({})
    assert_refused(
        tmp_path, zipped(empty, compression=zipfile.ZIP_DEFLATED), "compressed"
    )
    assert_refused(tmp_path, zipped(empty, byteorder=b"big"), "b'big'-endian")
    assert_refused(tmp_path, pickle.dumps(5), "not a file of torch.save")
    assert_refused(tmp_path, b"GIF89a", "no whole state dict|makes more")


def test_a_tensor_larger_than_its_numbers(tmp_path):
    content = unpacked(ZIPPED)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        (folder,) = {name.split("/")[0] for name in archive.namelist()}
        main = archive.read(f"{folder}/data.pkl")
    # 6 numbers are needed, 5 are there.
    data = {"data/0": bytes(20), "data/1": bytes(4), "data/2": bytes(8)}
    short = zipped(main, **data)
    assert_refused(tmp_path, short, "storage 0 has 20 bytes, needed are 24")
    message = "the numbers of storage 0 are missing"
    assert_refused(tmp_path, zipped(main, padding=bytes(99)), message)
    # The same of a storage of 5: K is an integer of one byte, Q ends a storage.
    assert main.count(b"K\x06tq") == 2
    fewer = zipped(main.replace(b"K\x06tq", b"K\x05tq"), **data)
    message = r"a tensor of shape \(3, 2\) needs more than the 5 numbers there"
    assert_refused(tmp_path, fewer, message)
    giant = main.replace(b"K\x06tq", b"J\xff\xff\xff\x7ftq")
    message = "it is too small for the numbers of storage 0"
    assert_refused(tmp_path, zipped(giant, **data), message)


def safetensors(header, data=b""):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def test_safetensors(tmp_path):
    weight = np.arange(6, dtype="<f4").reshape(2, 3)
    header = {
        "__metadata__": {"format": "pt"},
        "weight": entry("F32", [2, 3], 0, 24),
        "steps": entry("I64", [], 24, 32),
    }
    path = tmp_path / "a.safetensors"
    path.write_bytes(safetensors(header, weight.tobytes() + struct.pack("<q", 7)))
    found = state_dict.read(path)
    assert sorted(found) == ["steps", "weight"]
    np.testing.assert_array_equal(found["weight"], weight)
    assert (found["steps"].shape, int(found["steps"])) == ((), 7)


def test_damaged_safetensors(tmp_path):
    for content, reason in [
        (b"", "header too small"),
        (struct.pack("<Q", 10**12), "header too large"),
        (safetensors({"w": entry("F32", [3], 0, 12)}, bytes(8)), "incomplete"),
        (safetensors({"w": entry("F32", [3], 0, 11)}, bytes(12)), "invalid shape"),
        (safetensors({"w": entry("F8", [3], 0, 3)}, bytes(3)), "variant `F8`"),
        (safetensors({"w": 5}), "invalid type: integer"),
        (safetensors([]), "invalid type: sequence"),
    ]:
        message = f"is no whole state dict: SafetensorError: .*{reason}"
        assert_refused(tmp_path, content, message, "a.safetensors")
    with pytest.raises(FileNotFoundError):
        state_dict.read(tmp_path / "absent.safetensors")
