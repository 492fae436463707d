// The delegate as an accelerator for LiteRT's CompiledModel.
//
// A program that asks for the GPU makes LiteRT look for
// `libLiteRtGpuAccelerator.so` in its library folder. LiteRT reads
// `LiteRtAcceleratorImpl` from it. No other name is open to a library that
// LiteRT does not know, so the delegate claims to be a GPU. LiteRT applies it
// before XNNPACK, which computes what the delegate leaves.
//
// The structures are those of LiteRT 2.2 and 2.3 (`litert/c/internal/
// litert_accelerator_def.h` and `litert_runtime_context.h`). Both begin with a
// version. LiteRT refuses an accelerator of another major version, and the
// delegate refuses such a LiteRT.

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <utility>

#include "delegate.h"
#include "failure.h"
#include "options.h"

#define ISSP_EXPORT extern "C" __attribute__((visibility("default")))

namespace issp {
namespace {

// Values of LiteRtStatus and LiteRtHwAccelerators.
constexpr int kOk = 0;
constexpr int kRuntimeFailure = 3;
constexpr int kWrongVersion = 8;
constexpr int kGpu = 2;

struct Header {
  uint16_t bytes;
  uint16_t major;
  uint16_t minor;
  uint16_t reserved;
};

struct Version {
  int major;
  int minor;
  int patch;
};

// Functions of LiteRT for accelerators. Those between are not used.
struct RuntimeContext {
  Header header;
  void* others[17];
  int (*wrap_delegate)(tflite::Delegate*, void (*)(tflite::Delegate*),
                       void** wrapper);
};

struct AcceleratorDef {
  Header header;
  int (*get_name)(const void*, const char**);
  int (*get_version)(const void*, Version*);
  int (*get_hardware_support)(const void*, int*);
  int (*is_delegate_for_jit)(const void*, bool*);
  int (*create_delegate)(const RuntimeContext*, void* environment,
                         const void* accelerator, void* options,
                         void** wrapper);
  void* metrics[2];
  // For images in memory of the accelerator: none.
  char buffer_handlers[136];
};

static_assert(offsetof(RuntimeContext, wrap_delegate) == 144, "LiteRT's");
static_assert(offsetof(AcceleratorDef, buffer_handlers) == 64, "LiteRT's");
static_assert(sizeof(AcceleratorDef) == 200, "LiteRT's");

int get_name(const void*, const char** name) {
  *name = kName;
  return kOk;
}

int get_version(const void*, Version* version) {
  *version = {1, 0, 0};
  return kOk;
}

int get_hardware_support(const void*, int* hardware) {
  *hardware = kGpu;
  return kOk;
}

// Only models that ask for a GPU get the delegate.
int is_delegate_for_jit(const void*, bool* is_so) {
  *is_so = true;
  return kOk;
}

struct LetGo {
  void operator()(State* state) const { let_go(state); }
};
using Held = std::unique_ptr<State, LetGo>;

// The delegate for the next model that this thread compiles.
thread_local Held offered;

void destroy(tflite::Delegate* delegate) {
  let_go(static_cast<State*>(delegate->data));
}

int wrap(const RuntimeContext& runtime, void** wrapper) {
  Held held = std::move(offered);
  if (!held) {
    Options options;
    set_kernels(&options);
    held.reset(new_state(options));
  }
  const int status = runtime.wrap_delegate(&held->delegate, destroy, wrapper);
  if (status == kOk) held.release();
  return status;
}

int create_delegate(const RuntimeContext* runtime, void*, const void*, void*,
                    void** wrapper) {
  if (!runtime || runtime->header.major != 1 ||
      runtime->header.bytes < sizeof(RuntimeContext) ||
      !runtime->wrap_delegate) {
    return kWrongVersion;
  }
  try {
    return wrap(*runtime, wrapper);
  } catch (const std::exception&) {
    return kRuntimeFailure;
  }
}

}  // namespace
}  // namespace issp

extern "C" __attribute__((visibility("default"))) const issp::AcceleratorDef
    LiteRtAcceleratorImpl;
const issp::AcceleratorDef LiteRtAcceleratorImpl = {
    {sizeof(issp::AcceleratorDef), 1, 0, 0},
    issp::get_name,
    issp::get_version,
    issp::get_hardware_support,
    issp::is_delegate_for_jit,
    issp::create_delegate,
    {},
    {}};

// Gives a delegate to the next model that LiteRT compiles for a GPU in this
// thread. Other models get a delegate with the default options. Returns 1 if
// no model took the delegate that was offered before, else 0. With null, it
// only takes back that delegate.
ISSP_EXPORT int issp_delegate_offer(issp::tflite::Delegate* delegate) {
  const int was_left = issp::offered ? 1 : 0;
  auto* state = delegate ? static_cast<issp::State*>(delegate->data) : nullptr;
  if (state) ++state->holders;
  issp::offered.reset(state);
  return was_left;
}
