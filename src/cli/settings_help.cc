// The reference and the schema of daruma.yaml, from the table of its settings.

#include "cli/help.h"
#include "config/config_tables.h"
#include "config/settings_reference.h"

namespace daruma {

std::string settings_markdown() {
  std::string out =
      "# Settings of daruma.yaml\n\n"
      "Made by `daruma help settings` from the table in `src/config/config_tables.cc`; a test keeps them "
      "equal.\n\n"
      "The file is the one of `-c FILE`, else `daruma.yaml` in the working directory, else "
      "`/etc/daruma/daruma.yaml`.\n"
      "Relative paths stand on the file's folder. `[]` stands for an element of a list, `NAME` for a name "
      "you choose.\n"
      "A setting that is not in this table is an error. Editors can complete and check the file by its "
      "schema,\n"
      "`daruma.schema.json` beside this page.\n\n"
      "| setting | value | when left out | what it is |\n| --- | --- | --- | --- |\n";
  return out + settings::reference_rows(config_table().setting);
}

std::string settings_schema() {
  return settings::schema_text(settings::schema_of(config_table().setting), "daruma.yaml");
}

}  // namespace daruma
