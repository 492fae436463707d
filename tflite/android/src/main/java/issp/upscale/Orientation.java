package issp.upscale;

/** How a camera stored an upright image: the eight orientations of EXIF. */
final class Orientation {
  private final boolean isTurned;
  private final boolean rowsAreMirrored;
  private final boolean columnsAreMirrored;
  private final int storedHeight;
  private final int storedWidth;

  /** `exif` is the number in the file. Any number but 2 to 8 means upright. */
  Orientation(int exif, int storedHeight, int storedWidth) {
    isTurned = exif >= 5 && exif <= 8;
    rowsAreMirrored = exif == 3 || exif == 4 || exif == 6 || exif == 7;
    columnsAreMirrored = exif == 2 || exif == 3 || exif == 7 || exif == 8;
    this.storedHeight = storedHeight;
    this.storedWidth = storedWidth;
  }

  int height() {
    return isTurned ? storedWidth : storedHeight;
  }

  int width() {
    return isTurned ? storedHeight : storedWidth;
  }

  /** Where a part of the upright image is stored: {top, left, height, width}. */
  int[] stored(int top, int left, int height, int width) {
    int[] of =
        isTurned
            ? new int[] {left, top, width, height}
            : new int[] {top, left, height, width};
    if (rowsAreMirrored) of[0] = storedHeight - of[0] - of[2];
    if (columnsAreMirrored) of[1] = storedWidth - of[1] - of[3];
    return of;
  }

  /** Turns the stored pixels of a part with this upright size. */
  void turn(int[] stored, int height, int width, int[] upright) {
    int rows = isTurned ? width : height;
    int columns = isTurned ? height : width;
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        int row = isTurned ? x : y;
        int column = isTurned ? y : x;
        if (rowsAreMirrored) row = rows - 1 - row;
        if (columnsAreMirrored) column = columns - 1 - column;
        upright[y * width + x] = stored[row * columns + column];
      }
    }
  }
}
