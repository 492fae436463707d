"""The delegate needs no later Android than the documents promise."""

import re
import shutil
import subprocess

import pytest

from issp_keras.tflite import delegate

# The functions that Android's C library has only since API 25 or later.
# Source: bionic's libc/libc.map.txt, without private functions.
_LATER = re.compile(
    """
    aligned_alloc | backtrace\\w* | call_once | cat(close|gets|open)
    | close_range | (cnd|mtx|thrd|tss)_\\w+ | copy_file_range | ctermid
    | (end|set)(gr|host|net|proto|pw)ent | get(gr|net|proto|pw)ent
    | epoll_pwait(2|64|2_64) | fexecve | ffsl+ | futimes(at)?
    | (fflush|fgetc|fgets|fputc|fputs|fread|fwrite)_unlocked
    | (get|set)domainname | getentropy | getloadavg | getlogin_r | getrandom
    | getsubopt | glob(free)? | h(create|destroy|search)(_r)?
    | iconv(_close|_open)? | lchmod | lutimes | mallopt | mblen | memfd_create
    | memset_explicit | mlock2 | mseal | msg(ctl|get|rcv|snd) | nl_langinfo\\w*
    | pidfd_\\w+ | posix_spawn\\w* | ppoll64 | p(read|write)v(64)?v?2
    | process_madvise | pselect64
    | pthread_(attr_(get|set)inheritsched|cond_clockwait|mutex_clocklock)
    | pthread_((get|set)affinity_np|getname_np|rwlock_clock\\w+|setschedprio)
    | pthread_(\\w+_monotonic_np|mutexattr_(get|set)protocol|sigqueue)
    | qsort_r | quotactl | reallocarray | renameat2 | sched_(get|set)attr
    | sem_(clockwait|timedwait_monotonic_np) | sem(ctl|get|op|timedop)
    | shm(at|ctl|dt|get) | sig\\w+64 | sig(hold|ignore|pause|relse|set)
    | sig2str | str2sig | statx | strerrorname_np | swab | sync_file_range
    | syncfs | tc[gs]etwinsize | timespec_get(res)? | tz(alloc|free)
    | (str|wcs)to\\w+_l | strptime_l | (to)?wctrans\\w* | wcs\\w+_l
    """,
    re.VERBOSE,
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


def later_than_api_24(names):
    """Those names that Android's C library has only since a later version."""
    return list(filter(_LATER.fullmatch, names))


def test_the_delegate_calls_nothing_that_android_24_lacks():
    names = names_from_elsewhere(delegate.library())
    assert "free" in names
    assert not later_than_api_24(names)
