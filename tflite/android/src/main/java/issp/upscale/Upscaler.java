package issp.upscale;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;

/**
 * Upscales a photograph to a PNG file.
 *
 * <p>It reads and writes bands of rows, each of which is one row of tiles. So
 * memory grows with the width of the photograph, and not with its height.
 */
final class Upscaler {
  /** The side of a tile. It is halved until a band is small enough. */
  private static final int TILE = 192;

  private static final int SMALLEST_TILE = 48;
  private static final long BAND_BYTES = 64 << 20;

  /** A photograph of which parts can be read. */
  interface Photograph {
    int height();

    int width();

    boolean hasAlpha() throws IOException;

    /** Reads a part, row by row, as Android's colours: 0xAARRGGBB. */
    void read(int top, int left, int height, int width, int[] colours)
        throws IOException;
  }

  /** Is told after each tile how many are done. Returns false to cancel. */
  interface Progress {
    boolean goesOn(int done, int tiles);
  }

  private final Network network;
  private final Photograph photograph;
  private final int channels;
  private final int tiles;
  private final int scale;
  // A part of the photograph: {top, left, height, width}.
  private final int[] needed = new int[4];
  private final int[] made = new int[4];
  // Their positions stay 0. In the first versions of Android, functions that
  // change a position have another type than in later ones.
  private ByteBuffer pixels;
  private ByteBuffer result;
  private int[] colours;

  private Upscaler(Network network, Photograph photograph) throws IOException {
    this.network = network;
    this.photograph = photograph;
    channels = photograph.hasAlpha() ? 4 : 3;
    tiles = start();
    scale = network.scale();
  }

  /** Returns false if it was cancelled. Then the file is not complete. */
  static boolean upscale(
      Network network, Photograph from, OutputStream to, Progress progress)
      throws IOException {
    return new Upscaler(network, from).write(to, progress);
  }

  private int start() throws IOException {
    for (int tile = TILE; ; tile /= 2) {
      int count = network.start(photograph.height(), photograph.width(), tile);
      network.tile(0, needed, made);
      long rows = (long) network.scale() * made[2];
      long bytes = rows * network.scale() * stride();
      if (bytes <= BAND_BYTES || tile == SMALLEST_TILE) {
        if (bytes <= Integer.MAX_VALUE) return count;
        throw new IOException(
            "The photograph is too wide: " + photograph.width() + " pixels.");
      }
    }
  }

  private boolean write(OutputStream to, Progress progress) throws IOException {
    int height = scale * photograph.height();
    int width = scale * photograph.width();
    PngWriter png = new PngWriter(to, height, width, channels);
    try {
      for (int i = 0; i < tiles; ++i) {
        network.tile(i, needed, made);
        if (made[1] == 0) beginBand();
        network.upscale(
            i,
            channels,
            pixels,
            channels * needed[1],
            stride(),
            result,
            channels * scale * made[1],
            scale * stride());
        boolean isLast = made[1] + made[3] == photograph.width();
        if (isLast) png.write(result, scale * made[2]);
        if (!progress.goesOn(i + 1, tiles)) return false;
      }
      png.finish();
      return true;
    } finally {
      png.end();
    }
  }

  /** Bytes of a row of the photograph. */
  private int stride() {
    return channels * photograph.width();
  }

  /** Reads the rows that the tiles of a band need. */
  private void beginBand() throws IOException {
    int height = needed[2];
    int width = photograph.width();
    if (colours == null || colours.length < height * width) {
      colours = new int[height * width];
    }
    pixels = atLeast(pixels, height * stride());
    result = atLeast(result, scale * made[2] * scale * stride());
    photograph.read(needed[0], 0, height, width, colours);
    for (int i = 0, to = 0; i < height * width; ++i, to += channels) {
      pixels.put(to, (byte) (colours[i] >> 16));
      pixels.put(to + 1, (byte) (colours[i] >> 8));
      pixels.put(to + 2, (byte) colours[i]);
      if (channels == 4) pixels.put(to + 3, (byte) (colours[i] >> 24));
    }
  }

  private static ByteBuffer atLeast(ByteBuffer old, int bytes) {
    boolean fits = old != null && old.capacity() >= bytes;
    return fits ? old : ByteBuffer.allocateDirect(bytes);
  }
}
