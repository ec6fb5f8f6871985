// A page of `trace report` in a real browser: `.ci/report` runs it with the browser, the page of two traces
// that differ, and a page of 100,000 events.
import puppeteer from "puppeteer-core";

const [browser_path, parted, large] = process.argv.slice(2);
const browser = await puppeteer.launch({ executablePath: browser_path, args: ["--no-sandbox", "--disable-gpu"] });
const page = await browser.newPage();
const wrong = [];
page.on("pageerror", (error) => wrong.push(`the script fails: ${error.message}`));
page.on("request", (request) => {
  if (!request.url().startsWith("file:")) wrong.push(`the page asks for ${request.url()}`);
});
const check = (what, got, wanted) => {
  if (got !== wanted) wrong.push(`${what}: ${JSON.stringify(got)}, not ${JSON.stringify(wanted)}`);
};
const text = (selector) => page.$eval(selector, (element) => element.textContent);
const events = () => page.$$eval(".event", (rows) => rows.map((row) => row.textContent));
const settled = () => page.evaluate(() => new Promise((done) => setTimeout(done, 50)));

// Where the traces part, and a click on the event that it names.
await page.setViewport({ width: 1200, height: 1700 });
await page.goto(`file://${parted}`);
const number = (await text("#cause a")).slice(1);
await page.click("#cause a");
await settled();
check("the chosen event", (await text(".event.chosen")).split(" ")[0], `#${number}`);
check("its fields", (await text("#detail")).includes("fuel"), true);
check("marked differences", (await page.$$("#expected mark")).length > 0, true);

// A link to an event opens with it.
await page.goto(`file://${parted}#e4`);
await page.reload();
await settled();
check("an event of a link", (await text(".event.chosen")).split(" ")[0], "#4");

// Search, in lines and in fields; a function; failures only.
const all = await text("#count");
await page.type("#search", "NO SUCH TEXT");
check("a search that finds nothing", (await events()).length, 0);
await page.$eval("#search", (input) => { input.value = ""; });
await page.type("#search", "call out");
await settled();
check("found events", (await events()).every((line) => line.includes("call out")), true);
await page.$eval("#search", (input) => { input.value = ""; input.oninput(); });
await page.click("#functions button");
await settled();
const name = await text("#functions button");
check("events of a function", (await events()).every((line) => line.includes(name)), true);
await page.select("#function", "");

// A click on the first call of the timeline.
const box = await (await page.$("#timeline")).boundingBox();
await page.mouse.click(box.x + 2, box.y + box.height / 2);
await settled();
check("the call of a click", (await text("#call")).startsWith("call 1, "), true);
check("its first event", (await events())[0].includes("call in"), true);
await page.$eval("#only", (input) => { input.value = ""; input.oninput(); });
check("all events again", await text("#count"), all);

// Dark and light have readable colours of their own.
for (const value of ["light", "dark"]) {
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value }]);
  const ground = await page.$eval("body", (body) => getComputedStyle(body).backgroundColor);
  check(`${value} ground`, ground, value === "dark" ? "rgb(22, 24, 29)" : "rgb(255, 255, 255)");
}

// 100,000 events: the last one can be reached, and few of them are elements.
await page.goto(`file://${large}`);
const last = Number((await text("#count")).split(" ")[0]) - 1;
check("many events", last >= 100_000, true);
await page.evaluate((last) => { location.hash = `e${last}`; }, last);
await settled();
check("the last event", (await text(".event.chosen")).split(" ")[0], `#${last}`);
check("few elements", (await page.$$(".event")).length < 60, true);

await browser.close();
if (wrong.length) {
  console.error(wrong.join("\n"));
  process.exit(1);
}
console.log(`trace report: ${all}, and ${last + 1}, as expected in ${browser_path}`);
