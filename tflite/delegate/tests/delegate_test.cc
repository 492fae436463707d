// The life of delegates and of the interpreters that use them.

#include <locale>
#include <memory>
#include <thread>

#include "fake_runtime.h"
#include "forking.h"
#include "layers.h"
#include "testing.h"

namespace issp::testing {
namespace {

constexpr int kChannels = 3;

// A network for images of any size.
Model some_network(uint64_t seed = 1) {
  Random random(seed);
  Model model;
  const int image = model.input({1, 1, 1, kChannels}, true);
  Convolution of;
  of.outputs = 6;
  of.sparsity = 0.8;
  of.is_sparse = true;
  const int head = convolve(&model, image, of, &random);
  of.activation = tflite::kActivationRelu;
  int body = convolve(&model, head, of, &random);
  body = add(&model, head, convolve(&model, body, of, &random));
  of.outputs = 4 * kChannels;
  model.output(shuffle(&model, convolve(&model, body, of, &random), 2));
  return model;
}

const Options kAlways{{"always", "1"}, {"tuning_seconds", "0"}};

// Whether the result for an image of a size is right.
bool is_right(const Model& model, Interpreter* interpreter,
              const Shape& shape) {
  Random random(uint64_t(shape[1] * 100 + shape[2]));
  const Array image = random_image(shape, &random);
  const int input = model.inputs[0], output = model.outputs[0];
  interpreter->resize(input, shape);
  if (!interpreter->allocate()) return false;
  interpreter->set(input, image);
  if (!interpreter->invoke()) return false;
  const Array expected = evaluate(model, {{input, image}}).at(output);
  return difference(interpreter->get(output), expected) <= kTolerance;
}

TEST(interpreters_are_resized_at_run_time) {
  const Model model = some_network();
  for (const char* threads : {"1", "3"}) {
    Options options = kAlways;
    options["num_threads"] = threads;
    const auto delegate = new_delegate(options);
    Interpreter interpreter(model);
    EXPECT(interpreter.apply(delegate.get()));
    EXPECT(interpreter.left() == 0);
    for (const Shape& shape :
         {Shape{1, 9, 31, 3}, Shape{1, 1, 1, 3}, Shape{3, 5, 17, 3},
          Shape{3, 5, 17, 3}, Shape{1, 40, 70, 3}, Shape{1, 9, 31, 3}}) {
      EXPECT(is_right(model, &interpreter, shape))
          << shape[1] << "x" << shape[2] << interpreter.errors();
    }
  }
}

TEST(an_empty_batch_makes_nothing) {
  const Model model = some_network();
  const auto delegate = new_delegate(kAlways);
  Interpreter interpreter(model);
  EXPECT(interpreter.apply(delegate.get()));
  interpreter.resize(model.inputs[0], {0, 4, 4, kChannels});
  EXPECT(interpreter.allocate());
  EXPECT(interpreter.invoke());
}

TEST(sizes_that_do_not_fit_are_refused) {
  const Model model = some_network();
  const auto delegate = new_delegate(kAlways);
  Interpreter interpreter(model);
  EXPECT(interpreter.apply(delegate.get()));
  for (const Shape& shape :
       {Shape{1, 4, 4, 1}, Shape{1, 4, 4, 7}, Shape{1, 0, 4, 3},
        Shape{1, -1, 4, 3}, Shape{3}, Shape{1, 4, 3}}) {
    interpreter.resize(model.inputs[0], shape);
    EXPECT(!interpreter.allocate()) << shape.size();
  }
  EXPECT(is_right(model, &interpreter, {1, 4, 4, 3}));
}

TEST(images_without_memory_are_refused) {
  const Model model = some_network();
  for (int tensor : {model.inputs[0], model.outputs[0]}) {
    const auto delegate = new_delegate(kAlways);
    Interpreter interpreter(model);
    EXPECT(interpreter.apply(delegate.get()));
    EXPECT(is_right(model, &interpreter, {1, 4, 4, 3}));
    tflite::Tensor& image = interpreter.tensor(tensor);
    --image.bytes;
    EXPECT(!interpreter.invoke());
    ++image.bytes;
    EXPECT(interpreter.invoke());
    image.data = nullptr;
    EXPECT(!interpreter.invoke());
    EXPECT(interpreter.errors().find("too little memory") !=
           std::string::npos)
        << interpreter.errors();
  }
}

TEST(a_delegate_is_destroyed_before_the_interpreter) {
  const Model model = some_network();
  auto delegate = new_delegate(kAlways);
  auto interpreter = std::make_unique<Interpreter>(model);
  EXPECT(interpreter->apply(delegate.get()));
  EXPECT(is_right(model, interpreter.get(), {1, 5, 7, 3}));
  delegate.reset();
  EXPECT(is_right(model, interpreter.get(), {1, 6, 30, 3}));
  interpreter.reset();
}

TEST(a_delegate_is_destroyed_after_the_interpreter) {
  const Model model = some_network();
  auto delegate = new_delegate(kAlways);
  for (int i = 0; i < 3; ++i) {
    Interpreter interpreter(model);
    EXPECT(interpreter.apply(delegate.get()));
    EXPECT(is_right(model, &interpreter, {1, 5 + i, 7, 3}));
  }
}

TEST(a_delegate_that_was_never_used_is_destroyed) { new_delegate({}); }

TEST(interpreters_that_never_ran_are_destroyed) {
  const Model model = some_network();
  auto delegate = new_delegate(kAlways);
  Interpreter first(model), second(model);
  EXPECT(first.apply(delegate.get()));
  EXPECT(second.apply(delegate.get()));
  delegate.reset();
}

TEST(a_second_delegate_takes_what_the_first_left) {
  // Both convolutions need the node that unpacks the same constant.
  Random random(3);
  Model model;
  const int image = model.input({1, 6, 20, 4});
  const int kernel = sparse_kernel(&model, {4, 3, 3, 4}, 0.95, &random);
  const tflite::ConvParameters parameters{tflite::kSame, 1, 1, 0, 1, 1};
  int tensor =
      model.node(tflite::kConv2D, {image, kernel}, parameters);
  tensor = model.node(kNegate, {tensor});
  tensor = model.node(tflite::kConv2D, {tensor, kernel}, parameters);
  model.output(tensor);
  const auto first = new_delegate(kAlways), second = new_delegate(kAlways);
  Interpreter interpreter(model);
  EXPECT(interpreter.apply(first.get()));
  EXPECT(interpreter.left() == 1);
  EXPECT(interpreter.apply(second.get())) << interpreter.errors();
  EXPECT(is_right(model, &interpreter, {1, 6, 20, 4}));
}

TEST(two_interpreters_run_in_two_threads_at_different_sizes) {
  for (bool shares : {false, true}) {
    for (const char* threads : {"1", "2"}) {
      Options options = kAlways;
      options["num_threads"] = threads;
      options["tuning_seconds"] = "0.001";
      const auto shared = new_delegate(options);
      std::vector<std::thread> all;
      bool right[2] = {};
      for (int t = 0; t < 2; ++t) {
        all.emplace_back([&, t] {
          const Model model = some_network(uint64_t(t));
          const auto own = new_delegate(options);
          Interpreter interpreter(model);
          right[t] =
              interpreter.apply(shares ? shared.get() : own.get());
          for (int i = 0; i < cases(12); ++i) {
            // The threads never have the same size at the same time.
            const Shape shape{1, 5 + i % 3 + 9 * t, 20 + i / 4 + 13 * t, 3};
            right[t] = right[t] && is_right(model, &interpreter, shape);
          }
        });
      }
      // Reports are allowed at any time.
      if (shares) {
        for (int i = 0; i < 50; ++i) {
          EXPECT(issp_delegate_report(shared.get())[0] == '{');
        }
      }
      for (std::thread& thread : all) thread.join();
      EXPECT(right[0] && right[1]) << shares << " " << threads;
    }
  }
}

#ifndef __SANITIZE_THREAD__  // It allows no threads after a fork.

TEST(a_forked_process_computes_with_threads_of_its_own) {
  const Model model = some_network();
  Options options = kAlways;
  options["num_threads"] = "3";
  const auto delegate = new_delegate(options);
  Interpreter interpreter(model);
  EXPECT(interpreter.apply(delegate.get()));
  EXPECT(is_right(model, &interpreter, {1, 9, 31, 3}));
  EXPECT(returned_by_fork([&] {
    // At the size of its parent, and at another one.
    return 3 + is_right(model, &interpreter, {1, 9, 31, 3}) +
           is_right(model, &interpreter, {1, 12, 20, 3});
  }) == 5);
  EXPECT(is_right(model, &interpreter, {1, 9, 31, 3}));
}

#endif

TEST(an_interpreter_is_used_by_threads_in_turn) {
  const Model model = some_network();
  Options options = kAlways;
  options["num_threads"] = "2";
  const auto delegate = new_delegate(options);
  Interpreter interpreter(model);
  EXPECT(interpreter.apply(delegate.get()));
  for (int i = 0; i < 4; ++i) {
    std::thread([&] {
      EXPECT(is_right(model, &interpreter, {1, 6, 20 + i / 2, 3}));
    }).join();
  }
}

TEST(the_runtime_recommends_threads) {
  const Model model = some_network();
  const auto delegate = new_delegate(kAlways);
  Interpreter interpreter(model);
  EXPECT(interpreter.apply(delegate.get()));
  for (int threads : {-1, 1, 2, 4, 1}) {
    interpreter.recommend_threads(threads);
    EXPECT(is_right(model, &interpreter, {1, 6, 20, 3})) << threads;
  }
}

// Whether the delegate with these options refuses a network.
bool is_refused(const Options& options) {
  if (new_delegate(options)) return false;
  const auto delegate = new_delegate(options, false);
  const Model model = some_network();
  Interpreter interpreter(model);
  const std::string why = "option " + options.begin()->first + " is '" +
                          options.begin()->second + "', expected ";
  return !interpreter.apply(delegate.get()) &&
         interpreter.left() == int(model.layers.size()) &&
         interpreter.errors().find(why) != std::string::npos;
}

TEST(options_are_read_or_refused) {
  for (const Options& options :
       {Options{{"num_threads", "2"}}, Options{{"min_sparsity", "0.5"}},
        Options{{"always", "1"}, {"profile", "1"}},
        Options{{"kernels", "portable"}}, Options{{"cache_bytes", "4096"}},
        Options{{"float16", "1"}}}) {
    EXPECT(new_delegate(options) != nullptr) << options.begin()->first;
  }
  for (const Options& options :
       {Options{{"num_threads", "-1"}}, Options{{"num_threads", "two"}},
        Options{{"num_threads", ""}}, Options{{"num_threads", "1e9"}},
        Options{{"num_threads", "1.5"}}, Options{{"always", "0.5"}},
        Options{{"profile", "True"}}, Options{{"min_sparsity", "0.5x"}},
        Options{{"min_sparsity", "nan"}}, Options{{"cache_bytes", "1e300"}},
        Options{{"kernels", "fastest"}}, Options{{"kernels", ""}},
        Options{{"", "1"}}, Options{{"threads", "1"}}}) {
    EXPECT(is_refused(options)) << options.begin()->first;
  }
}

TEST(options_that_are_refused_are_named) {
  static std::string message;
  const char* key = "min_sparsity";
  const char* value = "1.5";
  EXPECT(!tflite_plugin_create_delegate(
      &key, &value, 1, [](const char* text) { message = text; }));
  EXPECT(message.find("min_sparsity") != std::string::npos) << message;
  EXPECT(message.find("1.5") != std::string::npos) << message;
}

TEST(a_delegate_that_refuses_has_a_report) {
  const auto delegate = new_delegate({{"kernels", "fastest"}}, false);
  const std::string report = issp_delegate_report(delegate.get());
  EXPECT(report.find("\"parts\": []") != std::string::npos) << report;
}

TEST(inputs_of_different_batches_are_refused) {
  Random random(4);
  Model model;
  const int a = model.input({1, 4, 4, 2}), b = model.input({1, 4, 4, 2});
  model.output(add(&model, a, b));
  const auto delegate = new_delegate(kAlways);
  Interpreter interpreter(model);
  EXPECT(interpreter.apply(delegate.get()));
  EXPECT(interpreter.left() == 0);
  interpreter.resize(b, {2, 4, 4, 2});
  EXPECT(!interpreter.allocate());
  EXPECT(interpreter.errors().find("different batches") != std::string::npos)
      << interpreter.errors();
}

TEST(numbers_are_the_same_in_all_languages) {
  struct Comma : std::numpunct<char> {
    char do_decimal_point() const override { return ','; }
  };
  const std::locale before =
      std::locale::global(std::locale(std::locale(), new Comma));
  const auto delegate = new_delegate({{"min_sparsity", "0.25"}});
  EXPECT(delegate != nullptr);
  const Model model = some_network();
  Interpreter interpreter(model);
  EXPECT(interpreter.apply(delegate.get()));
  const std::string report = issp_delegate_report(delegate.get());
  EXPECT(report.find("\"sparsity\": 0.") != std::string::npos ||
         report.find("\"declined\": {\"0\"") != std::string::npos)
      << report;
  std::locale::global(before);
}

TEST(a_report_tells_of_layers) {
  const Model model = some_network();
  Options options = kAlways;
  options["profile"] = "1";
  const auto delegate = new_delegate(options);
  Interpreter interpreter(model);
  EXPECT(interpreter.apply(delegate.get()));
  const auto has = [&](const char* text) {
    return std::string(issp_delegate_report(delegate.get())).find(text) !=
           std::string::npos;
  };
  EXPECT(has("\"runs\": 0"));
  EXPECT(is_right(model, &interpreter, {2, 6, 20, 3}));
  EXPECT(has("\"runs\": 2")) << issp_delegate_report(delegate.get());
  EXPECT(has("\"height\": 6"));
  EXPECT(std::string(issp_delegate_version()).size() > 0);
}

TEST(a_report_tells_what_is_declined_of_each_graph_of_a_file) {
  const auto delegate = new_delegate(kAlways);
  static int files[2];
  Random random(12);
  std::vector<Model> models(3);
  for (int i = 0; i < 3; ++i) {
    int tensor = models[i].input({1, 4, 5, 2});
    for (int j = 0; j <= i; ++j) {
      tensor = models[i].node(kNegate, {tensor});
    }
    models[i].output(tensor);
  }
  std::vector<std::unique_ptr<Interpreter>> graphs;
  for (const Model& model : models) {
    graphs.push_back(std::make_unique<Interpreter>(model));
  }
  const auto declined = [&] {
    const std::string text = issp_delegate_report(delegate.get());
    return text.substr(text.find("\"declined\""));
  };
  const std::string why = "\"it is another operator\"";
  const std::string one = "{\"0\": " + why + "}";
  const std::string two = "{\"0\": " + why + ", \"1\": " + why + "}";
  EXPECT(declined() == "\"declined\": {}, \"graphs\": []}");
  for (int i = 0; i < 2; ++i) {
    graphs[i]->context()->get_external_context = [](tflite::Context*, int) {
      return static_cast<void*>(files);
    };
    EXPECT(graphs[i]->apply(delegate.get()));
  }
  EXPECT(declined() == "\"declined\": " + one + ", \"graphs\": [" + one +
                           ", " + two + "]}")
      << declined();
  // This graph is of another file.
  graphs[2]->context()->get_external_context = [](tflite::Context*, int) {
    return static_cast<void*>(files + 1);
  };
  EXPECT(graphs[2]->apply(delegate.get()));
  EXPECT(declined().find(one) == std::string::npos) << declined();
  EXPECT(declined().find("\"2\"") != std::string::npos) << declined();
}

}  // namespace
}  // namespace issp::testing
