package issp.upscale;

import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * A network of the engine. Only one thread at a time may use it.
 *
 * <p>If something fails, the reason is one sentence in an IOException. The Java
 * files of this folder use nothing of Android, so that the tests of issp_keras
 * run them without it.
 */
final class Network implements AutoCloseable {
  static {
    System.loadLibrary("issp_network");
  }

  private long address;

  /** Opens the bytes of a `.tflite` file. With 0 threads, each core has one. */
  Network(byte[] file, int threads) throws IOException {
    address = open(file, threads);
  }

  /** Prepares for a photograph. Returns the number of tiles. */
  int start(int height, int width, int tile) throws IOException {
    return start(opened(), height, width, tile);
  }

  /** The factor by which each side is upscaled, after `start`. */
  int scale() throws IOException {
    return scale(opened());
  }

  /**
   * Gets the part of the photograph that a tile needs, and the part that it
   * upscales. Each is {top, left, height, width} in pixels before upscaling.
   */
  void tile(int index, int[] needed, int[] made) throws IOException {
    tile(opened(), index, needed, made);
  }

  /**
   * Upscales one tile. Both buffers are direct, and have 8-bit RGB (3 channels)
   * or RGBA (4). The needed part begins at `offset`, and its rows are `stride`
   * bytes apart. The upscaled part is written to `result` in the same form.
   */
  void upscale(
      int index,
      int channels,
      ByteBuffer pixels,
      int offset,
      int stride,
      ByteBuffer result,
      int resultOffset,
      int resultStride)
      throws IOException {
    upscale(
        opened(),
        index,
        channels,
        pixels,
        offset,
        stride,
        result,
        resultOffset,
        resultStride);
  }

  @Override
  public void close() {
    close(address);
    address = 0;
  }

  private long opened() throws IOException {
    if (address == 0) throw new IOException("The network is closed.");
    return address;
  }

  private static native long open(byte[] file, int threads) throws IOException;

  private static native void close(long network);

  private static native int start(long network, int height, int width, int tile)
      throws IOException;

  private static native int scale(long network);

  private static native void tile(
      long network, int index, int[] needed, int[] made) throws IOException;

  private static native void upscale(
      long network,
      int index,
      int channels,
      ByteBuffer pixels,
      int offset,
      int stride,
      ByteBuffer result,
      int resultOffset,
      int resultStride)
      throws IOException;
}
