package issp.upscale

import android.app.Activity
import android.content.ActivityNotFoundException
import android.content.Intent
import android.graphics.Bitmap
import android.net.Uri
import android.os.Bundle
import android.widget.Button
import android.widget.ImageView
import android.widget.ProgressBar
import android.widget.TextView
import java.io.File
import java.io.FileNotFoundException
import java.io.IOException
import java.io.InputStream
import java.util.concurrent.Executors
import kotlin.math.min

private const val NETWORK = "network.tflite"
private const val CHOOSE = 1
private const val SAVE = 2
// The side of the part that is shown before and after, in pixels before.
private const val SHOWN = 96

/** Chooses a photograph, upscales it, shows a part of it, and saves it. */
class MainActivity : Activity() {
    private val worker = Executors.newSingleThreadExecutor()
    // Only the worker uses it.
    private val network = lazy { Network(asset(), 0) }
    @Volatile private var isCancelled = false
    private lateinit var result: File

    private lateinit var choose: Button
    private lateinit var cancel: Button
    private lateinit var save: Button
    private lateinit var progress: ProgressBar
    private lateinit var message: TextView

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        setContentView(R.layout.main)
        result = File(cacheDir, "result.png")
        result.delete()
        choose = findViewById(R.id.choose)
        cancel = findViewById(R.id.cancel)
        save = findViewById(R.id.save)
        progress = findViewById(R.id.progress)
        message = findViewById(R.id.message)
        choose.setOnClickListener {
            ask(CHOOSE, Intent(Intent.ACTION_GET_CONTENT).setType("image/*"))
        }
        cancel.setOnClickListener { isCancelled = true }
        save.setOnClickListener {
            val intent = Intent(Intent.ACTION_CREATE_DOCUMENT)
            intent.putExtra(Intent.EXTRA_TITLE, "upscaled.png")
            ask(SAVE, intent.setType("image/png"))
        }
        show(isBusy = false)
    }

    override fun onDestroy() {
        super.onDestroy()
        isCancelled = true
        worker.execute { if (network.isInitialized()) network.value.close() }
        worker.shutdown()
    }

    /** Lets another app ask for a file. The answer is an Activity result. */
    private fun ask(code: Int, intent: Intent) {
        try {
            startActivityForResult(
                intent.addCategory(Intent.CATEGORY_OPENABLE), code)
        } catch (error: ActivityNotFoundException) {
            message.setText(R.string.no_app)
        }
    }

    override fun onActivityResult(code: Int, status: Int, data: Intent?) {
        super.onActivityResult(code, status, data)
        val uri = data?.data
        if (status != RESULT_OK || uri == null) return
        when (code) {
            CHOOSE -> work { upscale(uri) }
            SAVE -> work { save(uri) }
        }
    }

    /** Runs something on the worker, and then shows what it returns. */
    private fun work(task: () -> String) {
        isCancelled = false
        show(isBusy = true)
        message.text = ""
        worker.execute {
            val told = sentence(task)
            runOnUiThread {
                show(isBusy = false)
                message.text = told
            }
        }
    }

    /** What a task returns, or the reason why it failed. */
    private fun sentence(task: () -> String) =
        try {
            task()
        } catch (error: IOException) {
            error.message ?: getString(R.string.failed)
        } catch (error: SecurityException) {
            getString(R.string.no_access)
        } catch (error: OutOfMemoryError) {
            getString(R.string.no_memory)
        }

    private fun show(isBusy: Boolean) {
        choose.isEnabled = !isBusy
        cancel.isEnabled = isBusy
        save.isEnabled = !isBusy && result.exists()
        progress.progress = 0
        progress.keepScreenOn = isBusy
    }

    private fun show(before: Bitmap?, after: Bitmap?) = runOnUiThread {
        findViewById<ImageView>(R.id.before).setImageBitmap(before)
        findViewById<ImageView>(R.id.after).setImageBitmap(after)
    }

    private fun upscale(uri: Uri): String {
        result.delete()
        show(null, null)
        return photograph(uri).use { from ->
            // A file that is not complete has another name.
            val part = File(cacheDir, "part.png")
            try {
                val isDone = part.outputStream().buffered().use {
                    Upscaler.upscale(network.value, from, it, ::tell)
                }
                if (!isDone) return getString(R.string.cancelled)
                if (!part.renameTo(result)) {
                    throw IOException(getString(R.string.failed))
                }
            } finally {
                part.delete()
            }
            compare(from)
        }
    }

    private fun photograph(uri: Uri) =
        try {
            StoredPhotograph { open(uri) }
        } catch (error: IOException) {
            throw IOException(getString(R.string.no_photograph))
        }

    private fun open(uri: Uri): InputStream =
        contentResolver.openInputStream(uri) ?: throw FileNotFoundException()

    private fun asset() =
        try {
            assets.open(NETWORK).use { it.readBytes() }
        } catch (error: FileNotFoundException) {
            throw IOException(getString(R.string.no_network))
        }

    private fun tell(done: Int, tiles: Int): Boolean {
        runOnUiThread {
            progress.max = tiles
            progress.progress = done
            message.text = getString(R.string.tiles, done, tiles)
        }
        return !isCancelled
    }

    /** Shows the middle of the photograph before and after. */
    private fun compare(from: StoredPhotograph): String =
        StoredPhotograph(result::inputStream).use { to ->
            val scale = to.height() / from.height()
            val height = min(SHOWN, from.height())
            val width = min(SHOWN, from.width())
            val top = (from.height() - height) / 2
            val left = (from.width() - width) / 2
            show(
                from.part(top, left, height, width),
                to.part(
                    scale * top, scale * left, scale * height, scale * width))
            getString(
                R.string.upscaled,
                from.width(), from.height(), to.width(), to.height())
        }

    private fun save(uri: Uri): String {
        val to = contentResolver.openOutputStream(uri)
            ?: throw FileNotFoundException(getString(R.string.no_access))
        to.use { result.inputStream().use { file -> file.copyTo(it) } }
        return getString(R.string.saved)
    }
}
