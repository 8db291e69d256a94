"""Hundreds of names by which somebody could pass for annie, for somebody in charge, or for nobody."""

from __future__ import annotations

import pytest

from mooring.names import NameRefused, clean_name, is_reserved, lookalike_keys

UNSEEN = [
    *(0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180E, 0x180F, 0x200B, 0x200C, 0x200D, 0x200E, 0x200F),
    *(0x202A, 0x202B, 0x202C, 0x202D, 0x202E, 0x2060, 0x2061, 0x2062, 0x2063, 0x2064, 0x2065, 0x2066, 0x2067, 0x2068, 0x2069, 0x206A, 0x206F),
    *(0x3164, 0xFE00, 0xFE01, 0xFE0E, 0xFE0F, 0xFEFF, 0xFFA0, 0xFFF0, 0xFFF8, 0x1BCA0, 0x1BCA3, 0x1D173, 0x1D17A, 0xE0000, 0xE0001, 0xE0020),
    *(0xE0061, 0xE007F, 0xE0100, 0xE01EF, 0xE0FFF, 0x00, 0x07, 0x1B, 0x7F, 0x85, 0x9B, 0xFFF9, 0xFFFC, 0xFFFD, 0xFFFE, 0x10FFFF, 0xE000, 0xF8FF),
]
SPACES = [0x20, 0x09, 0x0A, 0xA0, 0x1680, 0x2000, 0x2003, 0x2009, 0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x2800, 0x3000]
SIGNS = [*".'-_·’‘`´,;:!|/\\@#*+~^\"()[]<>«»…•‧․‥⸱⸳・゠٫٬׳״՚՛՝፡።、。︰﹒．＇＿￣ˈˑːʹʺʻʼʽˊˋ˙"]
ACCENTS = [0x300, 0x301, 0x308, 0x30A, 0x323, 0x332, 0x335, 0x336, 0x337, 0x338, 0x488, 0x489, 0x20D0, 0x20DD, 0x20E3, 0x1AB0, 0x1DC4, 0x1CF8, 0xFE20]
LIKE_A = [*"аɑαａᴀⓐⒶ🅐𝐚𝒂𝓪𝔞𝕒𝖆𝗮𝘢𝙖𝚊àáâãäåāăąǎạảấＡΑАᎪꓮⱥ"]
LIKE_N = [*"ｎ𝐧𝑛𝓃𝔫𝕟𝖓𝗻𝘯𝙣𝚗ɴñńņňǹṅⓝ"]
LIKE_I = [*"іｉıⅰ𝐢𝒊𝓲𝔦𝕚𝖎𝗶𝘪𝙞𝚒ìíîïīĭįǐɨ"]
LIKE_E = [*"еｅ𝐞𝑒ℯ𝓮𝔢𝕖𝖊𝗲𝘦𝙚𝚎ｅèéêëēĕėęěẹɇᴇ"]
OTHERS = [*"٠߀०০๐۰ߺ໐༠᠐"]
FORGED = [
    *(f"annie{chr(point)}" for point in (*UNSEEN, *SPACES, *ACCENTS)),
    *(f"an{chr(point)}nie" for point in (*UNSEEN, *ACCENTS)),
    *(f"{chr(point)}annie" for point in (*UNSEEN, *ACCENTS)),
    *(f"annie{sign}" for sign in (*SIGNS, *OTHERS)),
    *(f"{sign}annie" for sign in (*SIGNS, *OTHERS)),
    *(f"an{sign}nie" for sign in SIGNS),
    *(f"{letter}nnie" for letter in LIKE_A),
    *(f"a{letter}{letter}ie" for letter in LIKE_N),
    *(f"ann{letter}e" for letter in LIKE_I),
    *(f"anni{letter}" for letter in LIKE_E),
    "ANNIE",
    "аnnіе",
    "a" + "\u0301" * 40 + "nnie",
]
IN_CHARGE = [
    "Mooring",
    "moderator",
    "M0derator",
    "rnooring",
    "Мооring",
    "ΜΟORING",
    "mod-erator",
    "adm1n",
    "ADMIN",
    "admın",
    "sуstem",
    "ovvner",
    "𝐨𝐰𝐧𝐞𝐫",
    "ｒｏｏｔ",
    "root",
    "B0t",
]
IDS = [
    "m-0123456789abcdef",
    "M-0123456789ABCDEF",
    "m.0123456789abcdef",
    "m_0123456789abcdef",
    "m0123456789abcdef",
    "agent-0123456789abcdef",
    "ｍ-0123456789abcdef",
]
NOBODY = ["", " ", "-", "._.", "\u3164", "\u2800", "\u115f\u1160", "\u0301", "\ud800", "a b", "x" * 33, "\u202eeinna"]


def is_kept_out(name: str, other: str) -> bool:
    """Whether nobody gets this name beside the other, or at all."""
    try:
        cleaned = clean_name(name)
    except NameRefused:
        return True
    return cleaned == other or is_reserved(cleaned) or bool(lookalike_keys(cleaned) & lookalike_keys(other))


def test_there_are_hundreds() -> None:
    assert len({*FORGED, *IN_CHARGE, *IDS, *NOBODY}) >= 300


@pytest.mark.parametrize("name", [*FORGED, *IN_CHARGE, *IDS, *NOBODY], ids=ascii)
def test_nobody_gets_it(name: str) -> None:
    assert is_kept_out(name, "annie")


@pytest.mark.parametrize(
    "name",
    [
        "ann",
        "Ali",
        "Lili",
        "bill",
        "Zoë",
        "José-María",
        "O'Brien",
        "Łukasz",
        "Đorđe",
        "Søren",
        "Дмитрий",
        "Ελένη",
        "小林",
        "サーバー",
        "김철수",
        "นมิตา",
        "नमिता",
        "محمد",
        "דוד",
        "m-12",
        "R2D2",
    ],
)
def test_people_have_their_names(name: str) -> None:
    assert clean_name(name)
    assert not is_reserved(name)
    assert lookalike_keys(name) != lookalike_keys("annie")
