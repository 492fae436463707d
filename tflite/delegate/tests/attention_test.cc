// Transformers: the nodes that are taken, and their results.

#include <utility>
#include <vector>

#include "fake_runtime.h"
#include "layers.h"
#include "testing.h"
#include "transformers.h"

namespace issp::testing {
namespace {

std::map<int, Array> random_inputs(const Model& model, Random* random) {
  std::map<int, Array> inputs;
  for (int input : model.inputs) {
    inputs[input] = random_image(model.shape(input), random);
  }
  return inputs;
}

// Checks a network with random images. With the same kernels, results are equal
// bit for bit.
void check_all(const Model& model, int nodes_left, const std::string& what,
               Random* random) {
  const std::map<int, Array> inputs = random_inputs(model, random);
  const Expected expected(model, inputs);
  for (const std::string& kernels : kernel_names()) {
    std::vector<std::vector<float>> first;
    // From a group for each layer to one group for all.
    for (const auto& [threads, cache] :
         std::vector<std::pair<const char*, const char*>>{
             {"1", "1"}, {"1", "20000"}, {"1", "100000000"}, {"2", "1"},
             {"2", "100000000"}, {"3", "20000"}}) {
      const auto outputs = check(model, inputs, expected,
                                 {{"kernels", kernels},
                                  {"num_threads", threads},
                                  {"cache_bytes", cache}},
                                 nodes_left, what);
      if (first.empty()) first = outputs;
      EXPECT(outputs == first)
          << what << " differs: " << kernels << ", " << threads
          << " threads, " << cache << " bytes";
    }
  }
}

// Checks a network once, to see whether its parts fit each other.
void check_once(const Model& model, int nodes_left, const std::string& what,
                Random* random) {
  const std::map<int, Array> inputs = random_inputs(model, random);
  check(model, inputs, Expected(model, inputs), {{"num_threads", "2"}},
        nodes_left, what);
}

// The number of nodes that are left, and why.
int left(const Model& model, std::string* report) {
  const auto delegate = new_delegate({{"always", "1"}});
  Interpreter interpreter(model);
  EXPECT(interpreter.apply(delegate.get())) << interpreter.errors();
  *report = issp_delegate_report(delegate.get());
  return interpreter.left();
}

// The number of nodes that a function adds to a model.
template <class Add>
int nodes_of(Model* model, const Add& add) {
  const size_t before = model->layers.size();
  add();
  return int(model->layers.size() - before);
}

std::string text_of(const Attending& of, const Shape& shape) {
  std::ostringstream text;
  text << shape[0] << "x" << shape[1] << "x" << shape[2] << "x" << shape[3]
       << ", windows of " << of.rows << "x" << of.columns << " from "
       << of.down << "," << of.across << ", " << of.heads << " heads of "
       << of.channels << " and " << of.values << " channels, "
       << (of.heads_first ? "heads first" : "windows first")
       << (of.is_flat ? ", flat" : "") << ", adjoint " << of.adjoint_queries
       << of.adjoint_keys << of.adjoint_values << ", parts " << of.parts
       << ", place " << of.place << ", scale " << of.scale << ", added";
  for (int added : of.added) text << " " << added;
  text << (of.subtracts ? " subtracted" : "");
  return text.str();
}

TEST(attention_equals_the_reference) {
  for (int i = 0; i < cases(40); ++i) {
    Random random{uint64_t(100 + i)};
    const int batch = random.between(1, 2);
    const Attending of = random_attending(&random);
    const Shape shape = image_of(of, batch, random.between(1, 13), &random);
    Model model;
    const int image = model.input(shape);
    model.output(attend(&model, image, of, &random).image);
    check_all(model, 0, std::to_string(i) + ": " + text_of(of, shape),
              &random);
  }
}

TEST(networks_of_transformers_equal_the_reference) {
  for (int i = 0; i < cases(20); ++i) {
    Random random{uint64_t(1000 + i)};
    const int batch = random.between(1, 2);
    const Attending of = random_attending(&random);
    const Shape shape = image_of(of, batch, random.between(1, 4), &random);
    Model model;
    const int image = model.input(shape);
    Convolution by;
    by.outputs = random.between(1, 13);
    const int head = convolve(&model, image, by, &random);
    int made = transform(&model, head, of, &random);
    if (random.below(2)) {
      // The next block has the same or other windows.
      Attending next = of;
      next.down = random.below(of.rows);
      next.across = random.below(of.columns);
      made = transform(&model, made, next, &random);
    }
    by.activation = random.below(4);
    made = add(&model, convolve(&model, made, by, &random), head);
    by.outputs = 4 * random.between(1, 3);
    model.output(shuffle(&model, convolve(&model, made, by, &random), 2));
    if (random.chance(0.2)) model.output(made);
    check_all(model, 0, std::to_string(i) + ": " + text_of(of, shape),
              &random);
  }
}

TEST(windows_of_all_sizes_attend) {
  // Windows of all pixels, rows, columns, single pixels, and others.
  for (const Shape& window :
       {Shape{4, 6}, Shape{1, 6}, Shape{4, 1}, Shape{1, 1}, Shape{2, 3}}) {
    Random random(1);
    Attending of;
    of.rows = window[0];
    of.columns = window[1];
    of.heads = 2;
    Model model;
    const int image = model.input({2, 4, 6, 5});
    model.output(attend(&model, image, of, &random).image);
    check_all(model, 0, text_of(of, {2, 4, 6, 5}), &random);
  }
  Random random(2);
  Attending of;
  of.rows = of.columns = 16;
  of.down = of.across = 8;
  of.added = {Attending::kTables, Attending::kMasks};
  Model model;
  const int image = model.input({1, 16, 32, 3});
  model.output(attend(&model, image, of, &random).image);
  check_once(model, 0, "windows of 16x16", &random);
}

TEST(windows_of_too_many_pixels_are_left) {
  Random random(3);
  Attending of;
  of.rows = 2;
  of.columns = 513;
  Model model;
  const int image = model.input({1, 2, 513, 2});
  const int nodes = int(model.layers.size());
  model.output(attend(&model, image, of, &random).image);
  std::string report;
  EXPECT(left(model, &report) > nodes);
  EXPECT(report.find("it is not part of an attention") != std::string::npos)
      << report;
}

TEST(images_whose_size_a_file_leaves_open_have_no_windows) {
  Random random(16);
  Model model;
  const int image = model.input({1, 8, 12, 3}, true);
  Convolution by;
  by.outputs = 5;
  const int head = convolve(&model, image, by, &random);
  const int made = attend(&model, head, {}, &random).image;
  model.output(convolve(&model, made, by, &random));
  std::string report;
  const int nodes = left(model, &report);
  EXPECT(nodes >= 10 && report.find("of a known size") != std::string::npos)
      << nodes << report;
  check_once(model, nodes, "open size", &random);
}

TEST(lists_of_all_pixels_are_connected_and_attend) {
  Random random(4);
  Model model;
  const Shape shape{2, 4, 6, 5};
  const int image = model.input(shape);
  const auto connected = [&](int list, int outputs) {
    const int kernel = model.constant(
        random_array({outputs, model.shape(list)[1]}, 0.3, &random));
    return model.node(tflite::kFullyConnected, {list, kernel},
                      tflite::FullyConnectedParameters{0, 0, false});
  };
  int list = connected(reshape(&model, image, {48, 5}), 8);
  list = model.node(tflite::kGelu, {list}, tflite::GeluParameters{false});
  list = connected(list, 5);
  const int made = reshape(&model, list, shape);
  model.output(add(&model, attend(&model, made, {2, 3}, &random).image, made));
  check_all(model, 0, "lists of pixels", &random);
}

TEST(masks_that_differ_between_images_of_a_batch_are_right_or_left) {
  for (bool heads_first : {false, true}) {
    Random random(2);
    const int batch = 2, windows = 4, side = 4;
    Model model;
    const int image = model.input({batch, 4, 4, 3});
    const auto operand = [&] {
      int tensor = project(&model, image, 3, &random);
      tensor = reshape(&model, tensor, {batch * 2, 2, 2, 2, 1, 3});
      tensor = transpose(&model, tensor,
                         heads_first ? std::vector<int>{4, 0, 2, 1, 3, 5}
                                     : std::vector<int>{0, 2, 4, 1, 3, 5});
      return reshape(&model, tensor,
                     heads_first ? Shape{1, batch * windows, side, 3}
                                 : Shape{batch * windows, 1, side, 3});
    };
    const int queries = operand(), keys = operand(), values = operand();
    int scores = batch_matmul(&model, queries, keys, false, true);
    scores = add(&model, scores,
                 model.constant(random_array(model.shape(scores), 0,
                                             &random)));
    scores = model.node(tflite::kSoftmax, {scores},
                        tflite::SoftmaxParameters{1});
    int made = batch_matmul(&model, scores, values, false, false);
    made = reshape(&model, made, {batch * 2, 2, 2, 2, 3});
    made = transpose(&model, made, {0, 2, 1, 3, 4});
    model.output(reshape(&model, made, {batch, 4, 4, 3}));
    check_all(model, -1, "masks of images", &random);
  }
}

// A network of attention whose intermediate tensors have other users.
struct Branched {
  Model model;
  Attended attended;
  int nodes = 0;  // Of attention and projections.
};

Branched branched(Random* random) {
  Branched made;
  Attending of;
  of.rows = of.columns = 2;
  of.heads = 2;
  of.added = {Attending::kTables};
  const int image = made.model.input({1, 4, 6, 5});
  Convolution by;
  by.outputs = 6;
  const int head = convolve(&made.model, image, by, random);
  made.nodes = nodes_of(&made.model, [&] {
    made.attended = attend(&made.model, head, of, random);
  });
  made.model.output(convolve(&made.model, made.attended.image, by, random));
  return made;
}

TEST(a_symbol_that_is_an_output_is_left_with_a_reason) {
  for (int Attended::* symbol :
       {&Attended::queries, &Attended::keys, &Attended::values,
        &Attended::products, &Attended::scores, &Attended::means}) {
    for (bool negates : {false, true}) {
      Random random(3);
      Branched made = branched(&random);
      int tensor = made.attended.*symbol;
      if (negates) tensor = made.model.node(kNegate, {tensor});
      made.model.output(tensor);
      std::string report;
      const int nodes = left(made.model, &report);
      // The convolutions before and after attention are taken.
      EXPECT(nodes > negates && nodes < made.nodes) << nodes << report;
      EXPECT(report.find("its output is used by a node that is not taken") !=
             std::string::npos)
          << report;
      check_once(made.model, nodes, "a symbol leaves", &random);
    }
  }
}

TEST(networks_of_which_anything_is_taken_elsewhere_are_right) {
  for (int i = 0; i < cases(150); ++i) {
    Random random{uint64_t(4000 + i)};
    Attending of = random_attending(&random);
    of.heads = random.between(1, 2);
    const Shape shape = image_of(of, random.between(1, 2), 3, &random);
    Model model;
    Convolution by;
    by.outputs = 4;
    const int head = convolve(&model, model.input(shape), by, &random);
    const size_t first = model.layers.size();
    const int made = transform(&model, head, of, &random);
    model.output(convolve(&model, made, by, &random));
    const size_t last = model.layers.size() - 1;
    for (int others = random.between(1, 2); others > 0; --others) {
      const size_t layer =
          first + size_t(random.below(int(last - first)));
      int tensor = random.of(model.layers[layer].outputs);
      if (random.below(2)) tensor = model.node(kNegate, {tensor});
      model.output(tensor);
    }
    check_once(model, -1, std::to_string(i) + ": " + text_of(of, shape),
               &random);
  }
}

TEST(windows_are_images_to_what_needs_no_neighbours) {
  for (int i = 0; i < cases(10); ++i) {
    Random random{uint64_t(i)};
    Model model;
    const int batch = random.between(1, 2), channels = random.between(1, 9);
    const int image = model.input({batch, 8, 12, channels});
    const auto windows = [&](int tensor) {
      tensor = reshape(&model, tensor, {batch * 2, 4, 3, 4, channels});
      tensor = transpose(&model, tensor, {0, 2, 1, 3, 4});
      return reshape(&model, tensor, {batch * 6, 4, 4, channels});
    };
    const int before = windows(image);
    int made = normalize(&model, before, {}, &random);
    made = project(&model, made, 2 * channels, &random);
    made = model.node(tflite::kGelu, {made}, tflite::GeluParameters{true});
    made = project(&model, made, channels, &random);
    // The same windows, reused or built again.
    made = add(&model, made, random.below(2) ? before : windows(image));
    made = multiply(&model, made, windows(project(&model, image, channels,
                                                  &random)));
    made = reshape(&model, made, {batch * 2, 3, 4, 4, channels});
    made = transpose(&model, made, {0, 2, 1, 3, 4});
    made = reshape(&model, made, {batch, 8, 12, channels});
    model.output(add(&model, made, image));
    check_all(model, 0, "windows as images " + std::to_string(i), &random);
  }
}

TEST(a_network_without_other_takers_is_taken_as_a_whole) {
  Random random(3);
  const Branched made = branched(&random);
  check_all(made.model, 0, "no symbol leaves", &random);
}

TEST(a_step_of_a_normalization_that_is_an_output_is_left) {
  Random random(4);
  for (int step = 0; step < 6; ++step) {
    for (bool negates : {false, true}) {
      Model model;
      const int image = model.input({1, 3, 7, 5});
      const int head = project(&model, image, 6, &random);
      const size_t first = model.layers.size();
      const int made = normalize(&model, head, {}, &random);
      model.output(project(&model, made, 4, &random));
      int tensor = model.layers[first + size_t(step)].outputs[0];
      if (negates) tensor = model.node(kNegate, {tensor});
      model.output(tensor);
      std::string report;
      const int nodes = left(model, &report);
      EXPECT(nodes >= 6 && nodes < 10) << nodes << report;
      check_once(model, nodes, "a moment leaves", &random);
    }
  }
}

TEST(normalizations_equal_the_reference) {
  Random random(5);
  for (int i = 0; i < cases(20); ++i) {
    const Shape shape{random.between(1, 2), random.between(1, 9),
                      random.between(2, 40), random.between(1, 20)};
    Normalizing of;
    of.has_scale = random.below(2);
    of.has_shift = random.below(2);
    of.multiplies = random.below(2);
    of.epsilon = random.of<double>({1e-6, 1e-5, 1e-3, 1});
    Model model;
    const int image = model.input(shape);
    int made = normalize(&model, image, of, &random);
    if (random.below(2)) made = add(&model, made, image);
    if (random.below(2)) made = normalize(&model, made, of, &random);
    model.output(made);
    check_all(model, 0, "normalization " + std::to_string(i), &random);
  }
}

TEST(a_window_tensor_that_is_an_output_is_right) {
  for (bool is_list : {false, true}) {
    Random random(6);
    Model model;
    const int image = model.input({2, 4, 6, 3});
    const int head = project(&model, image, 4, &random);
    int windows = reshape(&model, head, {4, 2, 3, 2, 4});
    windows = transpose(&model, windows, {0, 2, 1, 3, 4});
    windows = reshape(&model, windows,
                      is_list ? Shape{12, 4, 4} : Shape{12, 2, 2, 4});
    model.output(windows);
    std::string report;
    const int nodes = left(model, &report);
    EXPECT(nodes == 3) << nodes << report;
    check_once(model, nodes, "windows leave", &random);
  }
}

TEST(windows_whose_taker_is_in_another_part_are_right) {
  // The multiplication waits for an unknown node. It is in another part than
  // the node that makes its windows.
  for (int batch : {1, 2}) {
    Random random(7);
    Model model;
    const int image = model.input({batch, 4, 6, 3});
    const int head = project(&model, image, 4, &random);
    int windows = reshape(&model, head, {batch * 2, 2, 3, 2, 4});
    windows = transpose(&model, windows, {2, 0, 1, 3, 4});
    windows = reshape(&model, windows, {6 * batch, 2, 2, 4});
    const int projected = project(&model, windows, 4, &random);
    int other = model.node(kNegate, {head});
    other = project(&model, other, 4, &random);
    other = reshape(&model, other, {batch * 2, 2, 3, 2, 4});
    other = transpose(&model, other, {2, 0, 1, 3, 4});
    other = reshape(&model, other, {6 * batch, 2, 2, 4});
    int made = add(&model, projected, other);
    made = reshape(&model, made, {3, batch * 2, 2, 2, 4});
    made = transpose(&model, made, {1, 2, 0, 3, 4});
    made = reshape(&model, made, {batch, 4, 6, 4});
    Convolution by;
    by.outputs = 3;
    model.output(convolve(&model, made, by, &random));
    check_all(model, -1, "windows of two parts", &random);
  }
}

TEST(shuffled_channels_leave_their_convolutions_taken) {
  Random random(8);
  Model model;
  const int image = model.input({1, 5, 12, 4});
  Convolution of;
  of.outputs = 6;
  int tensor = convolve(&model, image, of, &random);
  tensor = reshape(&model, tensor, {1, 5, 12, 2, 3});
  tensor = transpose(&model, tensor, {0, 1, 2, 4, 3});
  tensor = reshape(&model, tensor, {1, 5, 12, 6});
  model.output(convolve(&model, tensor, of, &random));
  check_all(model, 3, "shuffled channels", &random);
}

TEST(channels_that_are_split_are_taken_with_their_convolutions) {
  Random random(15);
  Model model;
  const int image = model.input({1, 5, 12, 4});
  Convolution of;
  of.outputs = 6;
  const int tensor = convolve(&model, image, of, &random);
  const std::vector<int> parts = split(&model, tensor, 3, 2);
  of.outputs = 3;
  const int convolved = convolve(&model, parts[1], of, &random);
  model.output(concatenate(&model, {parts[0], convolved}, 3));
  check_all(model, 0, "split channels", &random);
}

TEST(a_value_is_added_to_itself) {
  Random random(9);
  Model model;
  const int image = model.input({1, 4, 8, 5});
  Attending of;
  of.heads = 2;
  int tensor = project(&model, image, 5, &random);
  tensor = add(&model, tensor, tensor);
  tensor = attend(&model, tensor, of, &random).image;
  tensor = add(&model, tensor, tensor);
  tensor = multiply(&model, tensor, tensor);
  model.output(normalize(&model, add(&model, tensor, tensor), {}, &random));
  check_all(model, 0, "twice the same", &random);
}

TEST(values_of_attention_are_convolved_too) {
  Random random(10);
  for (int i = 0; i < cases(6); ++i) {
    Model model;
    const int image = model.input({random.between(1, 2), 8, 12, 5});
    Attending of;
    of.rows = random.of<int>({2, 4, 8});
    of.heads = random.between(1, 3);
    of.heads_first = random.below(2);
    of.added = {Attending::kTables};
    if (random.below(2)) of.down = of.across = 1;
    const Attended made = attend(&model, image, of, &random);
    Convolution by;
    by.outputs = model.shape(made.convolved)[3];
    int beside = convolve_depthwise(&model, made.convolved, by, &random);
    if (of.down) beside = roll(&model, beside, -1, -1);
    by.rows = by.columns = 1;
    by.outputs = 5;
    beside = convolve(&model, beside, by, &random);
    model.output(add(&model, made.image, beside));
    // A depthwise convolution of a rolled image is not one of the image.
    check_all(model, of.down ? -1 : 0, "values beside", &random);
  }
}

TEST(rows_that_attend_are_convolved_without_a_projection) {
  // Pixels have the order of the image, and pixels beyond it are zero.
  for (int width : {5, 16, 21}) {
    Random random(13);
    Model model;
    const int image = model.input({2, 4, width, 3});
    const int tensor = reshape(&model, image, {8, width, 3});
    int scores = batch_matmul(&model, tensor, tensor, false, true);
    scores = model.node(tflite::kSoftmax, {scores},
                        tflite::SoftmaxParameters{1});
    const int means = batch_matmul(&model, scores, tensor, false, false);
    const int made = reshape(&model, means, {2, 4, width, 3});
    Convolution by;
    by.outputs = 4;
    model.output(convolve(&model, made, by, &random));
    model.output(made);
    check_all(model, 0, "rows of " + std::to_string(width), &random);
  }
}

TEST(a_batch_that_is_larger_than_in_the_file_is_computed) {
  Random random(14);
  Model model;
  const Shape shape{1, 4, 8, 3};
  const int image = model.input(shape);
  Attending of;
  of.heads = 2;
  of.heads_first = true;
  of.added = {Attending::kAll};
  model.output(attend(&model, image, of, &random).image);
  const auto delegate = new_delegate({{"always", "1"}});
  Interpreter interpreter(model);
  EXPECT(interpreter.apply(delegate.get()));
  interpreter.resize(image, {2, 4, 8, 3});
  EXPECT(interpreter.allocate()) << interpreter.errors();
  Array both{{2, 4, 8, 3}, {}}, expected{{2, 4, 8, 3}, {}};
  for (int i = 0; i < 2; ++i) {
    const Array one = random_image(shape, &random);
    const Array made = evaluate(model, {{image, one}}).at(model.outputs[0]);
    both.values.insert(both.values.end(), one.values.begin(),
                       one.values.end());
    expected.values.insert(expected.values.end(), made.values.begin(),
                           made.values.end());
  }
  interpreter.set(image, both);
  EXPECT(interpreter.invoke());
  EXPECT(difference(interpreter.get(model.outputs[0]), expected) <=
         kTolerance);
}

TEST(attention_at_another_size_than_in_the_file_is_refused) {
  Random random(11);
  Model model;
  const int image = model.input({1, 4, 8, 3});
  model.output(attend(&model, image, {}, &random).image);
  const auto delegate = new_delegate({{"always", "1"}});
  Interpreter interpreter(model);
  EXPECT(interpreter.apply(delegate.get()));
  EXPECT(interpreter.left() == 0);
  interpreter.resize(image, {1, 8, 8, 3});
  EXPECT(!interpreter.allocate());
  EXPECT(interpreter.errors().find("of one size only") != std::string::npos)
      << interpreter.errors();
}

TEST(gelu_and_softmax_between_equal_the_reference) {
  Random random(12);
  for (bool is_approximate : {false, true}) {
    Model model;
    const int image = model.input({2, 3, 21, 4});
    int tensor = project(&model, image, 7, &random);
    tensor = model.node(tflite::kGelu, {tensor},
                        tflite::GeluParameters{is_approximate});
    tensor = add(&model, tensor, tensor);
    tensor = model.node(tflite::kSoftmax, {tensor},
                        tflite::SoftmaxParameters{1});
    model.output(model.node(tflite::kGelu, {tensor},
                            tflite::GeluParameters{is_approximate}));
    check_all(model, 0, "gelu", &random);
  }
}

}  // namespace
}  // namespace issp::testing
