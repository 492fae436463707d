package issp.upscale;

import java.io.DataOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32;
import java.util.zip.Deflater;
import java.util.zip.DeflaterOutputStream;

/**
 * Writes a PNG file row by row. Android's own encoder needs the whole image in
 * memory.
 */
final class PngWriter {
  private static final byte[] SIGNATURE = {
    (byte) 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'
  };
  private static final int BUFFER_BYTES = 1 << 16;
  private static final int UP = 2; // A byte is stored less the one above.

  private final DataOutputStream file;
  private final Deflater deflater = new Deflater(Deflater.BEST_SPEED);
  private final DeflaterOutputStream rows;
  private byte[] above;
  private byte[] row;
  private final byte[] filtered;

  /** Begins a file of 8-bit RGB (3 channels) or RGBA (4). */
  PngWriter(OutputStream to, int height, int width, int channels)
      throws IOException {
    file = new DataOutputStream(to);
    above = new byte[width * channels];
    row = new byte[above.length];
    filtered = new byte[1 + above.length];
    file.write(SIGNATURE);
    ByteBuffer header = ByteBuffer.allocate(13).putInt(width).putInt(height);
    header.put((byte) 8).put((byte) (channels == 4 ? 6 : 2));
    chunk("IHDR", header.array(), 0, header.capacity());
    rows = new DeflaterOutputStream(new Chunks(), deflater, BUFFER_BYTES);
  }

  /** Writes the rows at the beginning of a buffer, which has no gaps. */
  void write(ByteBuffer pixels, int count) throws IOException {
    ByteBuffer from = pixels.duplicate();
    for (int y = 0; y < count; ++y) {
      from.get(row);
      filtered[0] = UP;
      for (int i = 0; i < row.length; ++i) {
        filtered[1 + i] = (byte) (row[i] - above[i]);
      }
      rows.write(filtered);
      byte[] last = above;
      above = row;
      row = last;
    }
  }

  /** Ends the file, and leaves the stream open. */
  void finish() throws IOException {
    rows.close();
    chunk("IEND", new byte[0], 0, 0);
    file.flush();
  }

  /** Frees memory. A file that is not finished remains broken. */
  void end() {
    deflater.end();
  }

  private void chunk(String name, byte[] content, int from, int length)
      throws IOException {
    byte[] type = name.getBytes(StandardCharsets.US_ASCII);
    CRC32 sum = new CRC32();
    sum.update(type);
    sum.update(content, from, length);
    file.writeInt(length);
    file.write(type);
    file.write(content, from, length);
    file.writeInt((int) sum.getValue());
  }

  /** Puts what is written into chunks of image data. */
  private final class Chunks extends OutputStream {
    @Override
    public void write(int single) throws IOException {
      write(new byte[] {(byte) single}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int from, int length) throws IOException {
      chunk("IDAT", bytes, from, length);
    }
  }
}
