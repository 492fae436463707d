package issp.upscale

import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.BitmapRegionDecoder
import android.graphics.Rect
import android.media.ExifInterface
import java.io.Closeable
import java.io.IOException
import java.io.InputStream

/**
 * A photograph in a file, upright as EXIF says. Only the parts that are read
 * are ever in memory.
 */
class StoredPhotograph(open: () -> InputStream) :
    Upscaler.Photograph, Closeable {
    // A later version of Android has a function without the second argument.
    @Suppress("DEPRECATION")
    private val decoder: BitmapRegionDecoder =
        open().use { BitmapRegionDecoder.newInstance(it, false) }
            ?: throw IOException("The file is no image.")
    private val orientation =
        Orientation(open().use(::exifOf), decoder.height, decoder.width)

    override fun height() = orientation.height()

    override fun width() = orientation.width()

    override fun hasAlpha(): Boolean {
        val pixel = decode(Rect(0, 0, 1, 1))
        return pixel.hasAlpha().also { pixel.recycle() }
    }

    override fun read(
        top: Int, left: Int, height: Int, width: Int, colours: IntArray,
    ) {
        val (y, x, rows, columns) =
            orientation.stored(top, left, height, width)
        val part = decode(Rect(x, y, x + columns, y + rows))
        val stored = IntArray(rows * columns)
        part.getPixels(stored, 0, columns, 0, 0, columns, rows)
        part.recycle()
        orientation.turn(stored, height, width, colours)
    }

    /** A part as an image to show. */
    fun part(top: Int, left: Int, height: Int, width: Int): Bitmap {
        val colours = IntArray(height * width)
        read(top, left, height, width, colours)
        return Bitmap.createBitmap(
            colours, width, height, Bitmap.Config.ARGB_8888)
    }

    override fun close() = decoder.recycle()

    private fun decode(part: Rect): Bitmap {
        val options = BitmapFactory.Options()
        options.inPreferredConfig = Bitmap.Config.ARGB_8888
        return decoder.decodeRegion(part, options)
            ?: throw IOException("The file is damaged.")
    }
}

/** The orientation in the file. Files without EXIF are upright. */
private fun exifOf(file: InputStream): Int {
    val upright = ExifInterface.ORIENTATION_NORMAL
    return try {
        ExifInterface(file)
            .getAttributeInt(ExifInterface.TAG_ORIENTATION, upright)
    } catch (error: IOException) {
        upright
    }
}
