from homeostat.app.labels import refusal

FAULT = {"row": 7, "field": "value", "expected": 'one of "no", "yes"', "found": 'the string "perhaps"'}


def test_a_refusal_names_the_row_of_the_file_and_what_is_recorded_already():
    told = refusal({"message": "label 7 of 50", "fields": [FAULT]}, source="may.csv", before=2000)
    assert told.message == '\'may.csv\': row 2,008: value: expected one of "no", "yes", found the string "perhaps"'
    assert "the 2,000 labels before are recorded" in told.hint
    many = refusal({"message": "", "fields": [FAULT, FAULT, FAULT]}, source="may.csv", before=0)
    assert many.message.endswith("and 2 other faults")
    assert "none is recorded" in many.hint


def test_a_refusal_of_the_whole_keeps_the_servers_words():
    told = refusal({"message": "no model 'shop' is served here", "hint": "promote one"}, source="may.csv", before=0)
    assert (told.message, told.hint) == ("'may.csv': no model 'shop' is served here", "promote one")
