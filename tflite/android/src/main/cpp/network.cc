// The native functions of Network.java, which call the engine.

#include <jni.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "issp_engine.h"

namespace {

// Throws an IOException with one sentence.
void fail(JNIEnv* env, const char* problem) {
  std::string sentence = "The network cannot be used: ";
  // A file may have any bytes in its names. JNI takes only valid UTF-8.
  for (const char* c = problem; *c; ++c) {
    sentence += *c >= ' ' && *c <= '~' ? *c : '?';
  }
  sentence += '.';
  const jclass type = env->FindClass("java/io/IOException");
  if (type) env->ThrowNew(type, sentence.c_str());
}

issp_network* network_of(jlong address) {
  return reinterpret_cast<issp_network*>(address);
}

// The address of position `offset` in a direct buffer, from which on there are
// `height` rows of `bytes` bytes. Throws if they are not in the buffer.
uint8_t* rows(JNIEnv* env, jobject buffer, jint offset, jint stride,
              int64_t height, int64_t bytes) {
  const int64_t end = offset + (height - 1) * stride + bytes;
  if (offset >= 0 && stride >= bytes &&
      end <= env->GetDirectBufferCapacity(buffer)) {
    return static_cast<uint8_t*>(env->GetDirectBufferAddress(buffer)) + offset;
  }
  fail(env, "a buffer is smaller than a tile");
  return nullptr;
}

}  // namespace

extern "C" {

JNIEXPORT jlong JNICALL Java_issp_upscale_Network_open(JNIEnv* env, jclass,
                                                       jbyteArray file,
                                                       jint threads) {
  jbyte* bytes = env->GetByteArrayElements(file, nullptr);
  if (!bytes) return 0;
  const issp_options options = {threads, 0, -1, 0};
  char error[256] = "";
  issp_network* network = issp_open(bytes, size_t(env->GetArrayLength(file)),
                                    &options, error, sizeof(error));
  env->ReleaseByteArrayElements(file, bytes, JNI_ABORT);
  if (!network) fail(env, error);
  return reinterpret_cast<jlong>(network);
}

JNIEXPORT void JNICALL Java_issp_upscale_Network_close(JNIEnv*, jclass,
                                                       jlong address) {
  issp_close(network_of(address));
}

JNIEXPORT jint JNICALL Java_issp_upscale_Network_start(JNIEnv* env, jclass,
                                                       jlong address,
                                                       jint height, jint width,
                                                       jint tile) {
  issp_network* network = network_of(address);
  const int tiles = issp_start(network, height, width, tile, -1);
  if (tiles < 0) fail(env, issp_error(network));
  return tiles;
}

JNIEXPORT jint JNICALL Java_issp_upscale_Network_scale(JNIEnv*, jclass,
                                                       jlong address) {
  return issp_scale(network_of(address));
}

JNIEXPORT void JNICALL Java_issp_upscale_Network_tile(JNIEnv* env, jclass,
                                                      jlong address, jint index,
                                                      jintArray needed,
                                                      jintArray made) {
  issp_network* network = network_of(address);
  issp_rectangle from, to;
  if (issp_tile(network, index, &from, &to)) {
    fail(env, issp_error(network));
    return;
  }
  const jint of_needed[] = {from.top, from.left, from.height, from.width};
  const jint of_made[] = {to.top, to.left, to.height, to.width};
  env->SetIntArrayRegion(needed, 0, 4, of_needed);
  if (!env->ExceptionCheck()) env->SetIntArrayRegion(made, 0, 4, of_made);
}

JNIEXPORT void JNICALL Java_issp_upscale_Network_upscale(
    JNIEnv* env, jclass, jlong address, jint index, jint channels,
    jobject pixels, jint offset, jint stride, jobject result,
    jint result_offset, jint result_stride) {
  issp_network* network = network_of(address);
  issp_rectangle from, to;
  if (issp_tile(network, index, &from, &to)) {
    fail(env, issp_error(network));
    return;
  }
  const int64_t scale = issp_scale(network);
  const uint8_t* const source = rows(env, pixels, offset, stride, from.height,
                                     int64_t{channels} * from.width);
  if (!source) return;
  uint8_t* const target = rows(env, result, result_offset, result_stride,
                               scale * to.height, scale * channels * to.width);
  if (!target) return;
  if (issp_upscale_tile(network, index, source, size_t(stride), channels,
                        target, size_t(result_stride))) {
    fail(env, issp_error(network));
  }
}

}  // extern "C"
