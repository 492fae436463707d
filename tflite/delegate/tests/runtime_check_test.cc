// Runtimes whose structures differ from `tflite_abi.h`.

#include "runtime_check.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>

#include "fake_runtime.h"
#include "layers.h"
#include "testing.h"

namespace issp::testing {
namespace {

using tflite::Context;
using tflite::Tensor;

Model some_network() {
  Random random(1);
  Model model;
  int tensor = model.input({1, 8, 9, 3});
  Convolution of;
  of.outputs = 8;
  of.activation = tflite::kActivationRelu;
  for (int i = 0; i < 4; ++i) {
    of.is_sparse = i % 2;
    tensor = convolve(&model, tensor, of, &random);
  }
  model.output(tensor);
  return model;
}

// Whether the check and the delegate refuse a context, without a crash.
bool is_refused(Context* context) {
  const auto delegate = new_delegate({{"always", "1"}});
  const bool applies =
      delegate->prepare(context, delegate.get()) == tflite::kOk;
  return !check_runtime(context).empty() && !applies;
}

bool is_refused_with(const std::function<void(Context*)>& change) {
  const Model model = some_network();
  Interpreter interpreter(model);
  Context context = *interpreter.context();
  change(&context);
  return is_refused(&context);
}

TEST(the_fake_runtime_is_accepted) {
  const Model model = some_network();
  Interpreter interpreter(model);
  EXPECT(check_runtime(interpreter.context()).empty());
}

// A pointer to no memory.
void* garbage(uint64_t bits) { return reinterpret_cast<void*>(bits); }

// The first page is never mapped. Other small addresses may be part of a program
// or its heap.
constexpr uint64_t kUnmapped = 0x567;
const std::vector<uint64_t> kGarbage{1, 8, 0x1234567, 0x00007fffdead0000,
                                     0xdeadbeefdeadbeef};

TEST(functions_that_are_none_are_refused) {
  std::vector<void*> bad{nullptr};
  for (uint64_t bits : kGarbage) bad.push_back(garbage(bits));
  // A pointer to data on the heap.
  const Memory heap = new_memory(64);
  bad.push_back(heap.get());
  for (void* pointer : bad) {
    EXPECT(is_refused_with([&](Context* of) {
      std::memcpy(&of->get_execution_plan, &pointer, sizeof(pointer));
    })) << pointer;
    EXPECT(is_refused_with([&](Context* of) {
      std::memcpy(&of->get_node_and_registration, &pointer, sizeof(pointer));
    })) << pointer;
    EXPECT(is_refused_with([&](Context* of) {
      std::memcpy(&of->preview_partitioning, &pointer, sizeof(pointer));
    })) << pointer;
  }
}

TEST(contexts_of_another_order_are_refused) {
  // All fields are one place later or earlier, like after adding or removing
  // one.
  constexpr size_t kWords = sizeof(Context) / sizeof(void*);
  EXPECT(is_refused_with([](Context* of) {
    void* words[kWords];
    std::memcpy(words, of, sizeof(words));
    std::rotate(words, words + 1, words + kWords);
    std::memcpy(static_cast<void*>(of), words, sizeof(words));
  }));
  EXPECT(is_refused_with([](Context* of) {
    void* words[kWords];
    std::memcpy(words, of, sizeof(words));
    std::rotate(words, words + kWords - 1, words + kWords);
    std::memcpy(static_cast<void*>(of), words, sizeof(words));
  }));
  // One more field in the middle.
  EXPECT(is_refused_with([](Context* of) {
    void* words[kWords];
    std::memcpy(words, of, sizeof(words));
    std::memmove(words + 3, words + 2, (kWords - 3) * sizeof(void*));
    std::memcpy(static_cast<void*>(of), words, sizeof(words));
  }));
  EXPECT(is_refused_with([](Context* of) { of->tensor_count = SIZE_MAX; }));
}

TEST(contexts_that_are_no_memory_are_refused) {
  for (uint64_t bits : kGarbage) {
    auto* context = static_cast<Context*>(garbage(bits));
    EXPECT(!check_runtime(context).empty());
  }
  EXPECT(!check_runtime(nullptr).empty());
}

TEST(tensors_with_one_more_field_are_refused) {
  const Model model = some_network();
  Interpreter interpreter(model);
  const int count = int(model.tensors.size());
  // The new field is null, small or large. It is before each field, or at the
  // end.
  for (uint64_t value : {uint64_t{0}, uint64_t{1}, ~uint64_t{0}}) {
    for (size_t at = 0; at <= sizeof(Tensor); at += sizeof(value)) {
      constexpr size_t kSize = sizeof(Tensor) + sizeof(value);
      const Memory memory = new_memory(kSize * size_t(count));
      for (int i = 0; i < count; ++i) {
        const char* tensor =
            reinterpret_cast<const char*>(&interpreter.tensor(i));
        char* to = memory.get() + kSize * size_t(i);
        std::memcpy(to, tensor, at);
        std::memcpy(to + at, &value, sizeof(value));
        std::memcpy(to + at + sizeof(value), tensor + at,
                    sizeof(Tensor) - at);
      }
      Context context = *interpreter.context();
      context.tensors = reinterpret_cast<Tensor*>(memory.get());
      EXPECT(is_refused(&context)) << "with " << value << " at " << at;
    }
  }
}

TEST(tensors_with_one_field_less_are_refused) {
  const Model model = some_network();
  Interpreter interpreter(model);
  const size_t count = model.tensors.size();
  for (size_t at = 0; at < sizeof(Tensor); at += sizeof(void*)) {
    constexpr size_t kSize = sizeof(Tensor) - sizeof(void*);
    const Memory memory = new_memory(kSize * count);
    for (size_t i = 0; i < count; ++i) {
      const char* tensor =
          reinterpret_cast<const char*>(&interpreter.tensor(int(i)));
      char* to = memory.get() + kSize * i;
      std::memcpy(to, tensor, at);
      std::memcpy(to + at, tensor + at + sizeof(void*), kSize - at);
    }
    Context context = *interpreter.context();
    context.tensors = reinterpret_cast<Tensor*>(memory.get());
    EXPECT(is_refused(&context)) << "without that at " << at;
  }
}

TEST(tensors_with_garbage_pointers_are_refused) {
  for (uint64_t bits : kGarbage) {
    const auto is_refused_with_tensor =
        [&](const std::function<void(Tensor*)>& change) {
          const Model model = some_network();
          Interpreter interpreter(model);
          for (int i = 0; i < int(model.tensors.size()); ++i) {
            change(&interpreter.tensor(i));
          }
          return is_refused(interpreter.context());
        };
    EXPECT(is_refused_with_tensor([&](Tensor* of) {
      of->shape = static_cast<tflite::IntArray*>(garbage(bits));
    })) << bits;
    EXPECT(is_refused_with_tensor([&](Tensor* of) {
      of->shape_signature = static_cast<tflite::IntArray*>(garbage(bits));
    })) << bits;
    EXPECT(is_refused_with_tensor([&](Tensor* of) {
      of->sparsity = static_cast<tflite::Sparsity*>(garbage(bits));
    })) << bits;
    EXPECT(is_refused_with_tensor([&](Tensor* of) {
      of->name = static_cast<const char*>(garbage(bits));
    })) << bits;
    EXPECT(is_refused_with_tensor([&](Tensor* of) {
      of->quantization.type = tflite::kAffine;
      of->quantization.parameters = garbage(bits);
    })) << bits;
    EXPECT(is_refused_with_tensor([&](Tensor* of) {
      if (!of->sparsity) return;
      of->sparsity->dimensions =
          static_cast<tflite::DimensionMetadata*>(garbage(bits));
    })) << bits;
    EXPECT(is_refused_with_tensor([&](Tensor* of) {
      if (!of->sparsity) return;
      of->sparsity->block_map =
          static_cast<tflite::IntArray*>(garbage(bits));
    })) << bits;
    EXPECT(is_refused_with_tensor([&](Tensor* of) {
      if (!of->sparsity) return;
      of->sparsity->dimensions[3].indices =
          static_cast<tflite::IntArray*>(garbage(bits));
    })) << bits;
  }
}

TEST(nodes_with_other_fields_are_refused) {
  using Change = std::function<void(tflite::Node*)>;
  const std::vector<Change> changes{
      [](tflite::Node* of) { of->inputs = nullptr; },
      [](tflite::Node* of) { of->outputs = nullptr; },
      [](tflite::Node* of) {
        of->inputs = static_cast<tflite::IntArray*>(garbage(kUnmapped));
      },
      [](tflite::Node* of) { of->inputs->data[0] = 1 << 20; },
      [](tflite::Node* of) { of->outputs->data[0] = -7; },
      [](tflite::Node* of) { of->parameters = garbage(0x12345678); },
  };
  for (size_t i = 0; i < changes.size(); ++i) {
    const Model model = some_network();
    Interpreter interpreter(model);
    changes[i](&interpreter.node(1));
    EXPECT(is_refused(interpreter.context())) << "change " << i;
  }
}

// Whether a runtime is accepted, and `nodes_left` nodes are left to it. A
// negative number accepts any.
bool is_accepted_with(const std::function<void(Interpreter*)>& change,
                      int nodes_left = 0) {
  const Model model = some_network();
  Interpreter interpreter(model);
  change(&interpreter);
  const auto delegate = new_delegate({{"always", "1"}});
  EXPECT(check_runtime(interpreter.context()).empty())
      << check_runtime(interpreter.context());
  return interpreter.apply(delegate.get()) &&
         (nodes_left < 0 || interpreter.left() == nodes_left) &&
         interpreter.allocate();
}

// A tensor of biases.
Tensor* bias_of(Interpreter* interpreter) {
  return &interpreter->tensor(interpreter->node(0).inputs->data[2]);
}

TEST(constants_with_more_memory_than_they_need_are_accepted) {
  const std::vector<float> larger(64);
  EXPECT(is_accepted_with([&](Interpreter* of) {
    bias_of(of)->data = const_cast<float*>(larger.data());
    bias_of(of)->bytes = sizeof(float) * larger.size();
  }));
}

TEST(constants_that_are_not_in_the_file_are_accepted) {
  // Its layer is left to the runtime.
  EXPECT(is_accepted_with(
      [](Interpreter* of) {
        bias_of(of)->data = nullptr;
        bias_of(of)->bytes = 0;
      },
      1));
}

TEST(operators_that_are_external_alone_are_accepted) {
  int external = 0;
  EXPECT(is_accepted_with([&](Interpreter* of) {
    tflite::Node* node = nullptr;
    tflite::Registration* registration = nullptr;
    of->context()->get_node_and_registration(of->context(), 0, &node,
                                             &registration);
    registration->invoke = nullptr;
    registration->external = &external;
  }));
  EXPECT(is_refused_with([](Context* of) {
    tflite::Node* node = nullptr;
    tflite::Registration* registration = nullptr;
    of->get_node_and_registration(of, 0, &node, &registration);
    registration->invoke = nullptr;
    registration->external = garbage(kUnmapped);
  }));
}

TEST(tensors_of_any_number_of_dimensions_are_accepted) {
  const Integers shape = new_integers(std::vector<int>(5000, 1));
  EXPECT(is_accepted_with(
      [&](Interpreter* of) { bias_of(of)->shape = shape.get(); }, -1));
}

TEST(tensors_behind_many_others_are_looked_at) {
  Model model = some_network();
  for (int i = 0; i < 600; ++i) model.constant({{1}, {1}});
  Interpreter interpreter(model);
  EXPECT(check_runtime(interpreter.context()).empty());
  interpreter.tensor(int(model.tensors.size()) - 5).shape =
      static_cast<tflite::IntArray*>(garbage(kUnmapped));
  EXPECT(is_refused(interpreter.context()));
}

}  // namespace
}  // namespace issp::testing
