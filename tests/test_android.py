"""The Android app, and the Android that the delegate and the app need.

`test_engine.py` also runs the app's Java and native code, on a desktop.
"""

import pathlib
import re
import shutil
import subprocess
import xml.etree.ElementTree

import native
import pytest

from issp_keras.tflite import delegate

ROOT = pathlib.Path(__file__).parents[1]
APP = ROOT / "tflite" / "android"
_MAIN = APP / "src" / "main"
_CMAKE = _MAIN / "cpp" / "CMakeLists.txt"
_XML = sorted(_MAIN.rglob("*.xml"))
_ANDROID = "{http://schemas.android.com/apk/res/android}"
# The libraries that the documents tell how to build for Android.
_LIBRARIES = {
    _CMAKE.parent: ["issp_network"],
    native.DELEGATE: ["issp_sparse_delegate", "issp_engine_shared"],
}

# Functions that Android's C library has at API 24, of those that C++ code for
# Linux may need. Source: bionic's libc.map.txt, libm.map.txt and libdl.map.txt.
_AT_API_24 = """
    __errno __sched_cpucount abort calloc clock_gettime close dl_iterate_phdr
    dladdr dlclose dlerror dlopen dlsym exit fclose fopen fprintf fputc fputs
    fread free fseek ftell fwrite getauxval getenv getpid gettid isatty lseek
    madvise malloc memchr memcmp memcpy memmove memset mmap munmap nanosleep
    open pipe posix_memalign pthread_atfork pthread_cond_broadcast
    pthread_cond_destroy pthread_cond_init pthread_cond_signal
    pthread_cond_timedwait pthread_cond_wait pthread_create pthread_detach
    pthread_getspecific pthread_join pthread_key_create pthread_key_delete
    pthread_mutex_destroy pthread_mutex_init pthread_mutex_lock
    pthread_mutex_trylock pthread_mutex_unlock pthread_once pthread_self
    pthread_setspecific pthread_sigmask qsort read realloc sched_getaffinity
    sched_yield snprintf stderr strchr strcmp strerror strlen strncmp strtod
    strtof strtol strtoll strtoul strtoull syscall sysconf vsnprintf write
    acos asin atan atan2 cbrt ceil ceilf cos cosf erf erff exp exp2 exp2f expf
    expm1 expm1f floor floorf fma fmaf fmax fmaxf fmin fminf fmod fmodf frexp
    frexpf hypot ilogb ilogbf ldexp ldexpf llrint llrintf llround llroundf log
    log10 log1p log1pf log2 log2f logb logbf logf lrint lrintf lround lroundf
    nearbyint nearbyintf nextafter nextafterf pow powf remainder rint rintf
    round roundf scalbn scalbnf sin sinf sqrt sqrtf tan tanf tanh tanhf trunc
    truncf
"""
# Names of the compiler and of the C++ library. Libraries for Android contain
# them.
_OF_THE_COMPILER = re.compile(
    "_Z.*|_ITM_.*|_Unwind_.*|__cxa_.*|__gxx_personality_v0|__gmon_start__"
    "|__libc_single_threaded|__popcount[a-z]+2|__tls_get_addr"
)


def names_from_elsewhere(library):
    """The functions that a library needs from other libraries."""
    if not shutil.which("nm"):
        pytest.skip("there is no nm")
    listed = subprocess.run(
        ["nm", "-D", "--undefined-only", library],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return {line.split()[-1].split("@")[0] for line in listed.splitlines()}


def not_in_api_24(names):
    """Those names that Android's C library may lack at API 24."""
    known = {*_AT_API_24.split()}
    return [
        name
        for name in sorted(names)
        if name not in known and not _OF_THE_COMPILER.fullmatch(name)
    ]


def test_the_delegate_calls_nothing_that_android_24_lacks():
    names = names_from_elsewhere(delegate.library())
    assert "free" in names
    assert not not_in_api_24(names)
    later = {"aligned_alloc", "secure_getenv", "getrandom", "pthread_yield"}
    assert not_in_api_24(names | later) == sorted(later)


@pytest.fixture(scope="module", params=_LIBRARIES, ids=lambda of: of.name)
def links(request, tmp_path_factory):
    """The commands that link libraries for Android. They are not run."""
    native.need("cmake", "c++", "make")
    folder = tmp_path_factory.mktemp("android")
    native.run(
        "cmake",
        *("-S", request.param, "-B", folder),
        *("-G", "Unix Makefiles", "-DANDROID=ON"),
    )
    return {
        name: (folder / f"CMakeFiles/{name}.dir/link.txt").read_text().split()
        for name in _LIBRARIES[request.param]
    }


def test_libraries_for_android_have_pages_of_16_kb(links):
    for words in links.values():
        assert "-Wl,-z,max-page-size=16384" in words
        assert "-Wl,--gc-sections" in words
        assert [of for of in words if of.startswith("-Wl,--version-script=")]


def test_java_and_c_have_the_same_native_functions():
    java = (_MAIN / "java/issp/upscale/Network.java").read_text()
    declared = re.findall(r"static native \w+ (\w+)\(", java)
    exported = re.findall(
        r"JNICALL Java_issp_upscale_Network_(\w+)\(",
        (_MAIN / "cpp/network.cc").read_text(),
    )
    assert len(declared) == 6
    assert sorted(declared) == sorted(exported)


@pytest.mark.parametrize("path", _XML, ids=lambda of: of.name)
def test_xml_names_only_what_exists(path):
    root = xml.etree.ElementTree.parse(path).getroot()
    values = [
        value
        for element in root.iter()
        for value in [*element.attrib.values(), element.text or ""]
    ]
    used = {value for value in values if value.startswith("@string/")}
    assert used <= {f"@string/{name}" for name in _strings()}


def _strings():
    root = xml.etree.ElementTree.parse(_MAIN / "res/values/strings.xml")
    return {of.get("name"): of.text for of in root.iter("string")}


def _names_in_layout():
    root = xml.etree.ElementTree.parse(_MAIN / "res/layout/main.xml")
    found = [of.get(f"{_ANDROID}id") for of in root.iter()]
    return {of.removeprefix("@+id/") for of in found if of}


def test_kotlin_names_only_resources_that_exist():
    text = "".join(path.read_text() for path in _MAIN.rglob("*.kt"))
    used = set(re.findall(r"\bR\.(\w+\.\w+)", text))
    exist = {
        "layout.main",
        *(f"id.{name}" for name in _names_in_layout()),
        *(f"string.{name}" for name in _strings()),
    }
    assert "string.no_network" in used
    assert used <= exist


def test_every_text_of_the_app_is_used():
    files = [*_MAIN.rglob("*.kt"), *_XML]
    text = "".join(path.read_text() for path in files)
    for name in _strings():
        assert re.search(rf"[@R][./]?string[./]{name}\b", text), name


def test_the_manifest_names_the_activity_and_asks_for_no_permission():
    root = xml.etree.ElementTree.parse(_MAIN / "AndroidManifest.xml").getroot()
    (activity,) = root.iter("activity")
    name = activity.get(f"{_ANDROID}name").removeprefix(".")
    assert (_MAIN / f"kotlin/issp/upscale/{name}.kt").is_file()
    assert not list(root.iter("uses-permission"))


def test_gradle_asks_for_what_the_documents_promise():
    text = (APP / "build.gradle.kts").read_text()
    assert "minSdk = 24\n" in text
    assert '"arm64-v8a", "x86_64"' in text
    path = re.search(r'path = file\("(.+)"\)', text)[1]
    assert APP / path == _CMAKE
    folder = re.search(r"android {\n +namespace = \"(.+)\"", text)[1]
    assert (_MAIN / "java" / folder.replace(".", "/")).is_dir()


def test_the_app_brings_no_binaries():
    tracked = subprocess.run(
        ["git", "ls-files", "-z", APP],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    if tracked.returncode:
        pytest.skip("this is no clone")
    names = [name for name in tracked.stdout.split("\0") if name]
    assert names
    for name in names:
        (ROOT / name).read_text(encoding="utf-8")
