package issp.upscale;

import java.awt.image.BufferedImage;
import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import javax.imageio.ImageIO;

/**
 * Runs the Java files of the Android app on a desktop.
 *
 * <p>The arguments are a network, a number of tiles after which the work is
 * cancelled or 0, and any number of photographs: orientation, PNG file, result.
 */
final class Desktop {
  public static void main(String[] arguments) throws Exception {
    byte[] file = Files.readAllBytes(Path.of(arguments[0]));
    int most = Integer.parseInt(arguments[1]);
    try (Network network = new Network(file, 1)) {
      if (arguments.length == 2) refuse(network);
      for (int i = 2; i < arguments.length; i += 3) {
        int exif = Integer.parseInt(arguments[i]);
        Stored from = new Stored(new File(arguments[i + 1]), exif);
        Path path = Path.of(arguments[i + 2]);
        try (OutputStream to = Files.newOutputStream(path)) {
          boolean isDone =
              Upscaler.upscale(
                  network, from, to, (done, tiles) -> most == 0 || done < most);
          System.out.println(isDone ? "done" : "cancelled");
        }
      }
    } catch (IOException error) {
      System.out.println(error.getMessage());
    }
  }

  /** Prints what is said about wrong arguments. */
  private static void refuse(Network network) throws IOException {
    int[] needed = new int[4];
    int[] made = new int[4];
    ByteBuffer small = ByteBuffer.allocateDirect(3 * 8 * 8 - 1);
    ByteBuffer large = ByteBuffer.allocateDirect(1 << 16);
    told(() -> network.tile(0, needed, made));
    told(() -> network.start(0, 8, 0));
    network.start(8, 8, 0);
    told(() -> network.tile(1, needed, made));
    told(() -> network.upscale(0, 3, small, 0, 24, large, 0, 1 << 10));
    told(() -> network.upscale(0, 3, large, 0, 24, small, 0, 1 << 10));
    told(() -> network.upscale(0, 3, large, 0, 23, large, 0, 1 << 10));
    told(() -> network.upscale(0, 3, large, -1, 24, large, 0, 1 << 10));
    told(() -> network.upscale(0, 2, large, 0, 24, large, 0, 1 << 10));
    network.close();
    told(() -> network.start(8, 8, 0));
  }

  private interface Task {
    void run() throws IOException;
  }

  private static void told(Task task) {
    try {
      task.run();
      System.out.println("nothing");
    } catch (IOException error) {
      System.out.println(error.getMessage());
    }
  }

  /** As StoredPhotograph.kt on Android. */
  private static final class Stored implements Upscaler.Photograph {
    private final BufferedImage image;
    private final Orientation orientation;

    Stored(File file, int exif) throws IOException {
      image = ImageIO.read(file);
      orientation = new Orientation(exif, image.getHeight(), image.getWidth());
    }

    @Override
    public int height() {
      return orientation.height();
    }

    @Override
    public int width() {
      return orientation.width();
    }

    @Override
    public boolean hasAlpha() {
      return image.getColorModel().hasAlpha();
    }

    @Override
    public void read(int top, int left, int height, int width, int[] colours) {
      int[] at = orientation.stored(top, left, height, width);
      int[] stored = image.getRGB(at[1], at[0], at[3], at[2], null, 0, at[3]);
      orientation.turn(stored, height, width, colours);
    }
  }
}
